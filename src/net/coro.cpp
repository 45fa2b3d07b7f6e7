#include "net/coro.hpp"

namespace hpb::net {

void spawn(const asio::any_io_executor& executor, awaitable<void> coroutine) {
    asio::co_spawn(executor, std::move(coroutine), asio::detached);
}

void spawn(asio::io_context& context, awaitable<void> coroutine) {
    spawn(context.get_executor(), std::move(coroutine));
}

awaitable<void> sleep_for(Clock::duration time) {
    return sleep_until(Clock::now() + time);
}

awaitable<void> sleep_until(Clock::time_point time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(kAsTuple);
}

awaitable<void> give_way() {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

}  // namespace hpb::net
