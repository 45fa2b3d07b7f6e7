#pragma once

#include "net/coro.hpp"

namespace hpb::net {

/// Wakes coroutines of one thread that wait for a condition: the waiter checks its condition in a
/// loop, whoever changes the condition calls notify. Spurious wake-ups are normal.
class Signal {
public:
    explicit Signal(const asio::any_io_executor& executor)
        : timer_(executor, Clock::time_point::max()) {}

    awaitable<void> wait();
    /// @return false if the deadline came first.
    awaitable<bool> wait_until(Clock::time_point deadline);

    void notify_one() { timer_.cancel_one(); }
    void notify_all() { timer_.cancel(); }

    [[nodiscard]] asio::any_io_executor executor() { return timer_.get_executor(); }

private:
    asio::steady_timer timer_;
};

}  // namespace hpb::net
