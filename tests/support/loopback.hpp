// Sockets, WebSockets and coroutines of one io_context for the tests of channels: loopback only,
// every wait ends by itself.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "base/bytes.hpp"
#include "net/coro.hpp"
#include "net/stream.hpp"
#include "net/websocket/websocket.hpp"
#include "v1/frame.hpp"

namespace hpb::test {

using net::awaitable;

/// Runs one test coroutine on one thread, and what it spawned until all of that has ended by
/// itself.
class Loopback : public testing::Test {
protected:
    void run(awaitable<void> test) {
        bool done = false;
        context.restart();
        net::asio::co_spawn(context, std::move(test), [&](const std::exception_ptr& error) {
            done = true;
            if (error) ADD_FAILURE() << "the test coroutine threw";
        });
        context.run_for(std::chrono::seconds(20));
        EXPECT_TRUE(done) << "timed out";
        EXPECT_TRUE(context.stopped()) << "something goes on when its peers are gone";
    }

    net::tcp::acceptor listen() { return {context, {net::asio::ip::address_v4::loopback(), 0}}; }

    /// Two ends of one TCP connection.
    std::pair<net::Stream, net::Stream> connected_pair() {
        auto acceptor = listen();
        net::tcp::socket a(context);
        a.connect(acceptor.local_endpoint());
        net::tcp::socket b(context);
        acceptor.accept(b);
        return {net::Stream(std::move(a)), net::Stream(std::move(b))};
    }

    /// Two ends of a WebSocket behind its handshake: client and server.
    std::pair<net::WebSocket, net::WebSocket> websocket_pair() {
        auto [a, b] = connected_pair();
        return {net::WebSocket(std::move(a), websocket::Role::client, {}),
                net::WebSocket(std::move(b), websocket::Role::server, {})};
    }

    /// Lets the others run until `condition` holds.
    awaitable<void> until(std::function<bool()> condition) {
        while (!condition()) {
            net::asio::steady_timer turn(context, std::chrono::milliseconds(1));
            co_await turn.async_wait(net::kAsTuple);
        }
    }

    net::asio::io_context context{1};
};

inline std::string frame(const v1::ConnectionId& id, std::string_view payload) {
    std::string out(v1::kFrameHeaderSize, '\0');
    v1::encode_frame_header(reinterpret_cast<std::byte*>(out.data()), id, payload.size());
    return out + std::string(payload);
}

inline std::string preamble(std::int32_t key) {
    const auto bytes = v1::encode_preamble(key);
    return std::string(as_text(bytes));
}

inline awaitable<bool> send(net::WebSocket& websocket, std::string message) {
    const auto sent = co_await websocket.send(websocket::Opcode::binary, as_bytes(message));
    co_return sent.has_value();
}

/// One whole message; "<closed>" for a Close, "<lost>" for a broken connection.
inline awaitable<std::string> receive(net::WebSocket& websocket) {
    const auto message = co_await websocket.receive_message(1 << 20);
    if (!message) co_return "<lost>";
    if (!*message) co_return "<closed>";
    co_return (*message)->data;
}

/// Up to `size` bytes; fewer at the end of the stream. "<reset>" is appended for a reset.
inline awaitable<std::string> read(net::Stream& stream, std::size_t size) {
    std::string out;
    while (out.size() < size) {
        std::string part(std::min<std::size_t>(size - out.size(), 65536), '\0');
        const MutableByteSpan into(reinterpret_cast<std::byte*>(part.data()), part.size());
        const auto got = co_await stream.read_some(into);
        if (!got) co_return out + "<reset>";
        if (*got == 0) co_return out;
        out.append(part, 0, *got);
    }
    co_return out;
}

inline awaitable<bool> write(net::Stream& stream, std::string data) {
    const auto written = co_await stream.write(as_bytes(data));
    co_return written.has_value();
}

inline awaitable<net::Stream> accept(net::tcp::acceptor& acceptor) {
    auto [error, socket] = co_await acceptor.async_accept(net::kAsTuple);
    EXPECT_FALSE(error) << error.message();
    co_return net::Stream(std::move(socket));
}

/// Different at every position, so that a lost or repeated piece shows.
inline std::string pattern(std::size_t size, unsigned seed) {
    std::string out(size, '\0');
    std::uint32_t state = seed * 2654435761u + 1;
    for (char& c : out) {
        state = state * 1664525u + 1013904223u;
        c = static_cast<char>(state >> 24);
    }
    return out;
}

}  // namespace hpb::test
