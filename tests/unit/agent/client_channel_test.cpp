#include "agent/client/client_channel.hpp"

#include <gmock/gmock.h>

#include "agent/service/service_channel.hpp"
#include "support/loopback.hpp"
#include "support/reached.hpp"

namespace hpb::agent::client {
namespace {

using namespace hpb::test;
using namespace std::chrono_literals;

class ClientChannelTest : public Loopback {
protected:
    ClientChannelTest() { options.half_close_linger = 50ms; }

    /// The peer's end of a new channel.
    net::WebSocket begin() {
        auto [ours, theirs] = websocket_pair();
        channel = std::make_shared<ClientChannel>(std::move(ours), options, notes, registry);
        EXPECT_TRUE(tunnel_v1::Channel::start(channel));
        return std::move(theirs);
    }

    /// The application's end of a new connection.
    net::Stream connect() {
        auto [application, ours] = connected_pair();
        channel->add(std::move(ours), Quota::try_take(quota));
        return std::move(application);
    }

    std::shared_ptr<Quota> quota = std::make_shared<Quota>(100);
    std::shared_ptr<MappingNotes> notes = std::make_shared<MappingNotes>("simple/5011");
    std::shared_ptr<ChannelRegistry> registry = std::make_shared<ChannelRegistry>();
    ClientChannel::Options options;
    std::shared_ptr<ClientChannel> channel;

    awaitable<void> late_frames();
    awaitable<void> half_close();
    awaitable<void> end_of_channel(std::uint16_t code);
    awaitable<void> idle();
    awaitable<void> retired();
    awaitable<void> stalled();
    awaitable<void> shut_down();
};

v1::ConnectionId id_of(const std::string& message) {
    v1::ConnectionId id;
    if (message.size() >= id.bytes.size())
        std::copy_n(as_bytes(message).begin(), id.bytes.size(), id.bytes.begin());
    return id;
}

awaitable<void> ClientChannelTest::late_frames() {
    auto peer = begin();
    auto application = connect();
    EXPECT_TRUE(co_await write(application, "ask"));
    const std::string asked = co_await receive(peer);
    const auto id = id_of(asked);
    EXPECT_EQ(asked, frame(id, "ask"));
    const std::string stranger = frame(v1::ConnectionId::random(), pattern(1000, 1));
    EXPECT_TRUE(co_await send(peer, stranger + frame(id, "") + frame(id, "answer")));
    EXPECT_EQ(co_await read(application, 6), "answer");
}

TEST_F(ClientChannelTest, DropsFramesOfUnknownIds) {
    run(late_frames());
}

awaitable<void> ClientChannelTest::half_close() {
    auto peer = begin();
    auto other = connect();
    auto application = connect();
    EXPECT_TRUE(co_await write(application, "ask"));
    const auto id = id_of(co_await receive(peer));
    application.shutdown_send();
    EXPECT_TRUE(co_await send(peer, frame(id, "answer")));
    EXPECT_EQ(co_await read(application, 100), "answer");
    EXPECT_TRUE(notes->said(MappingNotes::Limit::half_close));
    // The id is forgotten; the channel is not.
    EXPECT_TRUE(co_await send(peer, frame(id, "late")));
    EXPECT_TRUE(co_await write(other, "here"));
    const std::string message = co_await receive(peer);
    EXPECT_EQ(message, frame(id_of(message), "here"));
    EXPECT_NE(id_of(message), id);
    EXPECT_EQ(quota->used(), 1u);
}

TEST_F(ClientChannelTest, DeliversForAWhileAfterAHalfClose) {
    run(half_close());
}

awaitable<void> ClientChannelTest::end_of_channel(std::uint16_t code) {
    auto peer = begin();
    auto application = connect();
    EXPECT_TRUE(co_await write(application, "ask"));
    const auto id = id_of(co_await receive(peer));
    const std::string answer = pattern(60000, 2);
    EXPECT_TRUE(co_await send(peer, frame(id, answer)));
    if (code != 0) {
        co_await peer.close(code, "", 5000ms);
    } else {
        peer.stream().shutdown_send();  // lost: no Close at all
    }
    EXPECT_EQ(co_await read(application, 1 << 20), answer + (code == 1000 ? "" : "<reset>"));
    EXPECT_FALSE(channel->open());
}

TEST_F(ClientChannelTest, CloseBecomesAnEndOfStreamBehindAllData) {
    run(end_of_channel(1000));
}

TEST_F(ClientChannelTest, LossBecomesAResetBehindAllData) {
    run(end_of_channel(0));
}

TEST_F(ClientChannelTest, ACloseThatTellsOfAFailureBecomesAResetBehindAllData) {
    run(end_of_channel(1011));
}

awaitable<void> ClientChannelTest::idle() {
    options.channel_idle = 0s;
    auto peer = begin();
    EXPECT_EQ(co_await receive(peer), "<closed>");
    EXPECT_EQ(peer.close_received()->code, 1000);
}

TEST_F(ClientChannelTest, ClosesAChannelWithoutConnections) {
    run(idle());
}

awaitable<void> ClientChannelTest::retired() {
    auto peer = begin();
    {
        auto application = connect();
        channel->retire();
        EXPECT_TRUE(co_await write(application, "still served"));
        EXPECT_THAT(co_await receive(peer), testing::EndsWith("still served"));
    }
    EXPECT_EQ(co_await receive(peer), "<closed>");
}

TEST_F(ClientChannelTest, RetiredClosesWhenItsLastConnectionEnds) {
    run(retired());
}

awaitable<void> ClientChannelTest::stalled() {
    auto peer = begin();
    auto application = connect();
    EXPECT_TRUE(co_await write(application, "ask"));
    const auto id = id_of(co_await receive(peer));
    // Nobody reads: the channel takes its bound and what the kernel holds, and then no more.
    const std::string part = pattern(65518, 3);
    constexpr std::size_t kTotal = 64u << 20;
    std::size_t sent = 0;
    bool done = false;
    net::spawn(
        context.get_executor(),
        [](net::WebSocket& to, std::string data, std::size_t& count, bool& end) -> awaitable<void> {
            while (count < kTotal && co_await send(to, data)) ++count, count += data.size() - 1;
            end = true;
        }(peer, frame(id, part), sent, done));
    std::size_t before = 1;
    while (before != sent && !done) {
        before = sent;
        net::asio::steady_timer passing(context, 300ms);
        co_await passing.async_wait(net::kAsTuple);
    }
    EXPECT_FALSE(done);
    EXPECT_LT(sent, kTotal / 2);
    // Once it reads, everything comes.
    std::size_t got = 0;
    while (got < (32u << 20)) {
        const std::string piece = co_await read(application, part.size());
        if (piece != part) break;
        got += piece.size();
    }
    EXPECT_GE(got, 32u << 20);
    peer.interrupt();
    co_await until([&] { return done; });
}

TEST_F(ClientChannelTest, AStalledReaderStopsTheChannelWithinItsBound) {
    const Reached paused(ops::Limit::paused_channels);
    run(stalled());
    EXPECT_EQ(paused.times(), 1u) << "however often it was";
}

awaitable<void> ClientChannelTest::shut_down() {
    auto peer = begin();
    auto application = connect();
    EXPECT_TRUE(co_await write(application, "ask"));
    (void)co_await receive(peer);
    channel.reset();
    net::spawn(context.get_executor(), shut_down_channels(registry, 5000ms));
    EXPECT_EQ(co_await receive(peer), "<closed>");
    EXPECT_EQ(co_await read(application, 1), "");
    co_await peer.close(1000, "", 1000ms);
    application.shutdown_send();
    co_await until([&] { return registry->size() == 0; });
    EXPECT_EQ(quota->used(), 0u);
}

TEST_F(ClientChannelTest, ShutDownClosesInOrderAndWaits) {
    run(shut_down());
}

}  // namespace
}  // namespace hpb::agent::client
