#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "bench/socket.hpp"

namespace hpb::bench {

using Clock = std::chrono::steady_clock;

/// epoll, level-triggered. What is told of a descriptor is a pointer of the owner's choice.
class Poller {
public:
    Poller();

    void add(int descriptor, std::uint32_t events, void* owner);
    void change(int descriptor, std::uint32_t events, void* owner);
    void remove(int descriptor);

    /// @return what is ready, at most until `deadline`; good until the next call.
    [[nodiscard]] std::span<const epoll_event> wait(Clock::time_point deadline);

private:
    Socket epoll_;
    std::vector<epoll_event> ready_;
};

}  // namespace hpb::bench
