#pragma once

#include "net/coro.hpp"

namespace hpb::net {

/// Wakes coroutines of one thread that wait for a condition: the waiter checks its condition in a
/// loop, the one who changes it calls notify. Spurious wake-ups are normal.
class Signal {
public:
    explicit Signal(const asio::any_io_executor& executor)
        : timer_(executor, Clock::time_point::max()) {}

    awaitable<void> wait() { co_await timer_.async_wait(kAsTuple); }

    /// @return false if the deadline came first.
    awaitable<bool> wait_until(Clock::time_point deadline) {
        asio::steady_timer alarm(timer_.get_executor(), deadline);
        // The handler may be queued when this coroutine goes on, and run when the Signal is gone.
        auto waiting = std::make_shared<bool>(true);
        alarm.async_wait([this, waiting](error_code error) {
            if (!error && *waiting) notify_all();
        });
        co_await wait();
        *waiting = false;
        co_return Clock::now() < deadline;
    }

    void notify_one() { timer_.cancel_one(); }
    void notify_all() { timer_.cancel(); }

    [[nodiscard]] asio::any_io_executor executor() { return timer_.get_executor(); }

private:
    asio::steady_timer timer_;
};

}  // namespace hpb::net
