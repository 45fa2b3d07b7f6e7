#include "net/websocket/websocket.hpp"

#include <gmock/gmock.h>

#include "support/loopback.hpp"
#include "support/reached.hpp"

namespace hpb::test {
namespace {

using namespace std::chrono_literals;
using websocket::Opcode;

class WebSocketTest : public Loopback {
protected:
    static awaitable<void> answer_pings(net::WebSocket& socket) {
        while (true) {
            const auto message = co_await socket.receive_message(1 << 20);
            if (!message || !*message) co_return;
        }
    }

    static awaitable<void> send_many(net::WebSocket& socket, char name, int count, std::size_t size,
                                     int& running) {
        for (int i = 0; i < count; ++i) {
            if (!co_await send(socket, std::string(size, name))) break;
        }
        --running;
    }

    awaitable<void> both_ways();
    awaitable<void> concurrent_senders();
    awaitable<void> control_while_blocked();
    awaitable<void> closes();
    awaitable<void> unanswered_close();
    awaitable<void> too_large();
    awaitable<void> protocol_error();
    awaitable<void> buffered();
    awaitable<void> reads_more();
    awaitable<void> sends_at_once();
    awaitable<void> begun_then_sent();

    static net::OutboundFrame frame_of(const net::WebSocket& socket, std::string_view text) {
        auto frame = socket.new_frame();
        frame.append(as_bytes(text));
        return frame;
    }
};

awaitable<void> WebSocketTest::both_ways() {
    auto [client, server] = websocket_pair();
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{125},
                                   std::size_t{126}, std::size_t{65536}, std::size_t{300000}}) {
        const std::string data = pattern(size, 5);
        net::spawn(context.get_executor(),
                   [](net::WebSocket& to, std::string d) -> awaitable<void> {
                       (void)co_await send(to, std::move(d));
                   }(client, data));
        EXPECT_EQ(co_await receive(server), data);
        net::spawn(context.get_executor(),
                   [](net::WebSocket& to, std::string d) -> awaitable<void> {
                       (void)co_await send(to, std::move(d));
                   }(server, data));
        EXPECT_EQ(co_await receive(client), data);
    }
}

// Whoever has got a piece learns whether the rest of what was read holds another one, even if there
// is a Ping or the beginning of a frame in it: to wait for more is another matter.
awaitable<void> WebSocketTest::buffered() {
    auto [ours, theirs] = connected_pair();
    net::WebSocket client(std::move(ours), websocket::Role::client, {});
    EXPECT_FALSE(client.receive_buffered());
    const std::string two_and_ping{'\x82', 2, 'h', 'i', '\x82', 1, '!', '\x89', 0, '\x82'};
    EXPECT_TRUE(co_await write(theirs, two_and_ping));
    const auto first = co_await client.receive();
    EXPECT_EQ(as_text(first.value()->payload), "hi");
    const auto second = client.receive_buffered();
    EXPECT_TRUE(second.has_value());
    if (second) EXPECT_EQ(as_text(second->value()->payload), "!");
    EXPECT_FALSE(client.receive_buffered());
    EXPECT_EQ((co_await read(theirs, 6)).substr(0, 1), "\x8a") << "the Ping is answered";
    EXPECT_TRUE(co_await write(theirs, std::string{1, '?'}));
    const auto third = co_await client.receive();
    EXPECT_EQ(as_text(third.value()->payload), "?");
}

TEST_F(WebSocketTest, TellsWhatWasReadFromWhatHasToBeWaitedFor) {
    run(buffered());
}

// What has come since is read without waiting; what went wrong there is told by the next wait.
awaitable<void> WebSocketTest::reads_more() {
    auto [ours, theirs] = connected_pair();
    net::WebSocket client(std::move(ours), websocket::Role::client, {});
    EXPECT_FALSE(client.read_more()) << "no read has been waited for yet";
    EXPECT_TRUE(co_await write(theirs, {'\x82', 1, 'a'}));
    EXPECT_EQ(as_text((co_await client.receive()).value()->payload), "a");
    EXPECT_FALSE(client.read_more()) << "nothing has come";
    EXPECT_TRUE(co_await write(theirs, {'\x82', 1, 'b'}));
    EXPECT_EQ(as_text((co_await client.receive()).value()->payload), "b") << "waited for";
    EXPECT_TRUE(co_await write(theirs, {'\x82', 1, 'c'}));
    EXPECT_TRUE(client.read_more());
    EXPECT_FALSE(client.read_more()) << "what was read comes first";
    const auto third = client.receive_buffered();
    EXPECT_TRUE(third.has_value());
    if (third) EXPECT_EQ(as_text(third->value()->payload), "c");
    theirs.reset_on_close();
    {
        const auto gone = std::move(theirs);
    }
    EXPECT_FALSE(client.read_more());
    const auto last = co_await client.receive();
    EXPECT_FALSE(last);
    if (!last) EXPECT_EQ(last.error().code(), net::asio::error::connection_reset);
}

TEST_F(WebSocketTest, ReadsOnWithoutWaiting) {
    run(reads_more());
}

awaitable<void> WebSocketTest::sends_at_once() {
    auto [client, server] = websocket_pair();
    auto frame = frame_of(client, "hello");
    EXPECT_TRUE(client.try_send(frame));
    EXPECT_EQ(frame.size(), 0u);
    EXPECT_EQ(co_await receive(server), "hello");
    client.send_close(1000, "");
    frame = frame_of(client, "too late");
    EXPECT_FALSE(client.try_send(frame));
    EXPECT_FALSE(frame.is_begun());
    EXPECT_FALSE(co_await client.send(frame));
    EXPECT_EQ(co_await receive(server), "<closed>");
}

TEST_F(WebSocketTest, SendsAFrameAtOnceWhereTheSocketTakesIt) {
    run(sends_at_once());
}

// The server does not read until a frame has got stuck half way: its rest is sent by send(), and
// what has come between, a Ping and somebody else's message, stands behind it.
awaitable<void> WebSocketTest::begun_then_sent() {
    auto [client, server] = websocket_pair();
    const std::string text = pattern(net::OutboundFrame::kMaxPayload, 7);
    auto frame = frame_of(client, text);
    std::size_t whole = 0;
    while (client.try_send(frame)) {
        ++whole;
        frame = frame_of(client, text);
    }
    EXPECT_TRUE(frame.is_begun());
    client.send_ping();
    auto other = frame_of(client, "other");
    EXPECT_FALSE(client.try_send(other));
    EXPECT_FALSE(other.is_begun());
    int running = 2;
    const auto send_it = [](net::WebSocket& socket, net::OutboundFrame& it,
                            int& left) -> awaitable<void> {
        EXPECT_TRUE(co_await socket.send(it));
        --left;
    };
    net::spawn(context.get_executor(), send_it(client, other, running));
    net::spawn(context.get_executor(), send_it(client, frame, running));
    for (std::size_t i = 0; i <= whole; ++i) {
        const std::string message = co_await receive(server);
        EXPECT_TRUE(message == text) << i;
        if (message != text) co_return;
    }
    EXPECT_EQ(co_await receive(server), "other");
    EXPECT_TRUE(server.peer_pings());
    co_await until([&] { return running == 0; });
}

TEST_F(WebSocketTest, GoesOnWithAFrameThatTheSocketTookApart) {
    run(begun_then_sent());
}

TEST_F(WebSocketTest, CarriesMessagesOfEverySizeBothWays) {
    run(both_ways());
}

awaitable<void> WebSocketTest::concurrent_senders() {
    auto [client, server] = websocket_pair();
    int running = 3;
    for (const char name : {'a', 'b', 'c'}) {
        net::spawn(context.get_executor(), send_many(client, name, 50, 50000, running));
    }
    for (int i = 0; i < 150; ++i) {
        const std::string message = co_await receive(server);
        EXPECT_EQ(message.size(), 50000u);
        if (message.size() != 50000) break;
        EXPECT_EQ(message.find_first_not_of(message.front()), std::string::npos)
            << "messages are mixed";
    }
    co_await until([&] { return running == 0; });
}

TEST_F(WebSocketTest, MessagesOfSeveralSendersAreNotMixed) {
    run(concurrent_senders());
}

// The server does not read data, so the client's writer is stuck in the middle of a frame; Pings of
// the server's are answered all the same as soon as there is room, and never inside a frame.
awaitable<void> WebSocketTest::control_while_blocked() {
    auto [client, server] = websocket_pair();
    int running = 1;
    const int count = 200;
    net::spawn(context.get_executor(), send_many(client, 'x', count, 60000, running));
    net::spawn(context.get_executor(), answer_pings(client));
    for (int i = 0; i < 10; ++i) server.send_ping();
    co_await until([&] { return client.peer_pings(); });
    for (int i = 0; i < count; ++i) {
        const std::string message = co_await receive(server);
        EXPECT_EQ(message.size(), 60000u);
        if (message.size() != 60000) break;
    }
    co_await server.close(1000, "done", 1000ms);
    EXPECT_EQ(running, 0);
    EXPECT_TRUE(server.close_received().has_value());
    co_await until([&] { return client.close_received().has_value(); });
}

TEST_F(WebSocketTest, ControlFramesStandBetweenDataFrames) {
    run(control_while_blocked());
}

awaitable<void> WebSocketTest::closes() {
    auto [client, server] = websocket_pair();
    client.send_close(3000, "why not");
    EXPECT_EQ(co_await receive(server), "<closed>");
    EXPECT_EQ(server.close_received()->code, 3000);
    EXPECT_EQ(server.close_received()->reason, "why not");
    EXPECT_EQ(co_await receive(client), "<closed>");  // answered without being asked to
    EXPECT_EQ(client.close_received()->code, 3000);
    EXPECT_FALSE(co_await send(server, "too late"));
    EXPECT_FALSE(co_await send(client, "too late"));
}

TEST_F(WebSocketTest, CloseIsAnsweredAtOnceAndEndsSending) {
    run(closes());
}

awaitable<void> WebSocketTest::unanswered_close() {
    auto [ours, theirs] = connected_pair();
    net::WebSocket client(std::move(ours), websocket::Role::client, {});
    const Reached unanswered(ops::Limit::unanswered_closes);
    co_await client.close(1000, "", 50ms);
    EXPECT_EQ(unanswered.times(), 1u);
}

TEST_F(WebSocketTest, ACloseWaitsForItsAnswerUpToItsLimit) {
    run(unanswered_close());
}

awaitable<void> WebSocketTest::too_large() {
    auto [client, server] = websocket_pair();
    const Reached large(ops::Limit::large_messages);
    EXPECT_TRUE(co_await send(client, std::string(1001, 'x')));
    const auto message = co_await server.receive_message(1000);
    EXPECT_FALSE(message.has_value());
    EXPECT_EQ(co_await receive(client), "<closed>");
    EXPECT_EQ(client.close_received()->code, 1009);
    EXPECT_EQ(large.times(), 1u);
}

TEST_F(WebSocketTest, AMessageBeyondTheLimitIsRefusedWith1009) {
    run(too_large());
}

awaitable<void> WebSocketTest::protocol_error() {
    auto [ours, theirs] = connected_pair();
    net::WebSocket server(std::move(ours), websocket::Role::server, {});
    EXPECT_TRUE(co_await write(theirs, std::string("\x82\x01x", 3)));  // not masked
    EXPECT_EQ(co_await receive(server), "<lost>");
    const std::string answer = co_await read(theirs, 4);
    EXPECT_EQ(answer.substr(0, 1), "\x88");
    EXPECT_EQ(answer.substr(2, 2), std::string("\x03\xea", 2));  // 1002
}

TEST_F(WebSocketTest, AProtocolErrorIsToldWith1002) {
    run(protocol_error());
}

}  // namespace
}  // namespace hpb::test
