// net: sockets, TLS, WebSocket connections and dialling, as coroutines on Boost.Asio. It moves
// bytes and keeps time; what the bytes mean is decided in the cores below it and in relay and agent
// above it. Every object belongs to one io_context with one thread and is only touched there.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace hpb::net {

namespace asio = boost::asio;
using asio::awaitable;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using error_code = boost::system::error_code;

/// Completion token: `auto [error, ...] = co_await op(kAsTuple)`, never a throw.
inline constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

/// Starts a detached coroutine. It must own the object it works on (a shared_ptr parameter), and
/// must not throw because of a peer's input.
void spawn(const asio::any_io_executor& executor, awaitable<void> coroutine);
void spawn(asio::io_context& context, awaitable<void> coroutine);

/// Waits, on the calling coroutine's thread.
[[nodiscard]] awaitable<void> sleep_for(Clock::duration time);
[[nodiscard]] awaitable<void> sleep_until(Clock::time_point time);
/// Yields to everything that is ready on this thread.
[[nodiscard]] awaitable<void> give_way();

}  // namespace hpb::net
