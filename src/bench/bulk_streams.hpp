#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "bench/poller.hpp"
#include "bench/traffic.hpp"

namespace hpb::bench {

/// Connections that carry as much as they can. One thread at a time calls run(); bytes() may be
/// asked from any.
class BulkStreams {
public:
    /// Connects. The streams take the destinations in turn.
    BulkStreams(const std::vector<Destination>& to, std::size_t streams, Direction direction);

    /// Moves bytes until then. Throws if a connection ends.
    void run(Clock::time_point until);
    /// Bytes given to the sockets and taken from them so far.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

private:
    void serve(const Socket& socket, std::uint32_t events);

    Poller poller_;
    std::vector<Socket> sockets_;
    std::vector<std::byte> buffer_;
    std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace hpb::bench
