#include "net/signal.hpp"

namespace hpb::net {

awaitable<void> Signal::wait() {
    co_await timer_.async_wait(kAsTuple);
}

awaitable<bool> Signal::wait_until(Clock::time_point deadline) {
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

}  // namespace hpb::net
