#include "agent/service/service_channel.hpp"

#include <gmock/gmock.h>

#include "support/loopback.hpp"

namespace hpb::agent::service {
namespace {

using namespace hpb::test;
using namespace std::chrono_literals;
constexpr std::int32_t kKey = 5011;
constexpr std::int32_t kRefusedKey = 5012;

class ServiceChannelTest : public Loopback {
protected:
    ServiceChannelTest() : target(listen()), registry(std::make_shared<ChannelRegistry>()) {
        options.close_linger = 20ms;
        auto made = std::make_shared<ServedEntity>();
        made->path = "simple";
        made->notes = std::make_shared<MappingNotes>("simple");
        made->places = std::make_shared<TargetPlaces>(net::Share::root(100));
        add_target(*made, kKey, target.local_endpoint().port());
        {
            auto unused = listen();  // a port where nobody listens any more
            add_target(*made, kRefusedKey, unused.local_endpoint().port());
        }
        entity = made;
    }

    static void add_target(ServedEntity& entity, std::int32_t key, std::uint16_t port) {
        entity.mappings.emplace(
            key,
            ServedEntity::Mapping{{"127.0.0.1", port}, std::make_shared<MappingNotes>("simple/k")});
    }

    /// The peer's end of a channel that has begun.
    net::WebSocket begin() {
        auto [ours, theirs] = websocket_pair();
        const auto channel =
            std::make_shared<ServiceChannel>(std::move(ours), options, entity,
                                             entity->places->sender("10.0.0.1"), registry, Place());
        EXPECT_TRUE(tunnel_v1::Channel::start(channel));
        return std::move(theirs);
    }

    net::tcp::acceptor target;
    std::shared_ptr<ChannelRegistry> registry;
    ServiceChannel::Options options;
    std::shared_ptr<const ServedEntity> entity;
    v1::ConnectionId a = v1::ConnectionId::random();
    v1::ConnectionId b = v1::ConnectionId::random();

    awaitable<void> carries_both_ways();
    awaitable<void> byte_by_byte();
    awaitable<void> unknown_key();
    awaitable<void> only_target_closes();
    awaitable<void> only_target_resets();
    awaitable<void> one_of_two_closes();
    awaitable<void> refused_alone();
    awaitable<void> empty_frames();
    awaitable<void> channel_ends();
    awaitable<void> idle();
    awaitable<void> reopened();
};

awaitable<void> ServiceChannelTest::carries_both_ways() {
    auto peer = begin();
    EXPECT_TRUE(co_await send(peer, preamble(kKey)));
    const std::string request = pattern(60000, 1);
    EXPECT_TRUE(co_await send(peer, frame(a, request)));
    auto application = co_await accept(target);
    EXPECT_EQ(co_await read(application, request.size()), request);

    const std::string answer = pattern(300000, 2);
    net::spawn(context.get_executor(), [](net::Stream& to, std::string data) -> awaitable<void> {
        (void)co_await write(to, std::move(data));
    }(application, answer));
    std::string got;
    while (got.size() < answer.size()) {
        const std::string message = co_await receive(peer);
        // One message is one frame.
        if (message.size() <= v1::kFrameHeaderSize) break;
        const auto size = load_le<std::uint16_t>(as_bytes(message).data() + 16);
        EXPECT_EQ(message.size(), v1::kFrameHeaderSize + size);
        EXPECT_LE(size, v1::kMaxSentPayload);
        got += message.substr(v1::kFrameHeaderSize);
    }
    EXPECT_EQ(got, answer);
}

TEST_F(ServiceChannelTest, CarriesBothDirectionsInFramesOfOneMessageEach) {
    run(carries_both_ways());
}

awaitable<void> ServiceChannelTest::byte_by_byte() {
    auto peer = begin();
    const std::string all = preamble(kKey) + frame(a, "hello") + frame(b, "HI");
    for (const char c : all) EXPECT_TRUE(co_await send(peer, std::string(1, c)));
    auto first = co_await accept(target);
    auto second = co_await accept(target);
    const std::string one = co_await read(first, 2);
    const bool swapped = one == "HI";
    EXPECT_EQ(swapped ? co_await read(second, 5) : one + co_await read(first, 3), "hello");
    if (!swapped) EXPECT_EQ(co_await read(second, 2), "HI");
}

TEST_F(ServiceChannelTest, DecodesAnyChunking) {
    run(byte_by_byte());
}

awaitable<void> ServiceChannelTest::unknown_key() {
    auto peer = begin();
    EXPECT_TRUE(co_await send(peer, preamble(4711)));
    EXPECT_EQ(co_await receive(peer), "<closed>");
    EXPECT_EQ(peer.close_received()->code, 1008);
}

TEST_F(ServiceChannelTest, ClosesForAnUnknownKeyWithoutAByte) {
    run(unknown_key());
}

awaitable<void> ServiceChannelTest::only_target_closes() {
    auto peer = begin();
    EXPECT_TRUE(co_await send(peer, preamble(kKey) + frame(a, "bye")));
    {
        auto application = co_await accept(target);
        EXPECT_EQ(co_await read(application, 3), "bye");
        EXPECT_TRUE(co_await write(application, "last words"));
    }
    EXPECT_EQ(co_await receive(peer), frame(a, "last words"));
    EXPECT_EQ(co_await receive(peer), "<closed>");
    EXPECT_EQ(peer.close_received()->code, 1000);
}

TEST_F(ServiceChannelTest, ClosesTheChannelWhenItsOnlyTargetCloses) {
    run(only_target_closes());
}

awaitable<void> ServiceChannelTest::only_target_resets() {
    auto peer = begin();
    EXPECT_TRUE(co_await send(peer, preamble(kKey) + frame(a, "bye")));
    {
        auto application = co_await accept(target);
        EXPECT_EQ(co_await read(application, 3), "bye");
        application.reset_on_close();
    }
    EXPECT_EQ(co_await receive(peer), "<closed>");
    EXPECT_EQ(peer.close_received()->code, 1011);
}

TEST_F(ServiceChannelTest, TellsATargetsResetByTheCloseCode) {
    run(only_target_resets());
}

awaitable<void> ServiceChannelTest::one_of_two_closes() {
    auto peer = begin();
    EXPECT_TRUE(co_await send(peer, preamble(kKey) + frame(a, "a")));
    auto lasting = co_await accept(target);
    EXPECT_EQ(co_await read(lasting, 1), "a");
    EXPECT_TRUE(co_await send(peer, frame(b, "b")));
    {
        auto closing = co_await accept(target);
        EXPECT_EQ(co_await read(closing, 1), "b");
        EXPECT_TRUE(co_await write(closing, "end"));
    }
    EXPECT_EQ(co_await receive(peer), frame(b, "end"));
    // The late data makes no new connection; what follows it is carried.
    co_await until([&] { return entity->places->share()->held() == 1; });
    EXPECT_TRUE(co_await send(peer, frame(b, "late") + frame(a, "on")));
    EXPECT_EQ(co_await read(lasting, 2), "on");
    EXPECT_TRUE(co_await write(lasting, "yes"));
    EXPECT_EQ(co_await receive(peer), frame(a, "yes"));
    target.non_blocking(true);
    net::tcp::socket none(context);
    net::error_code error;
    target.accept(none, error);
    EXPECT_EQ(error, net::asio::error::would_block);
}

TEST_F(ServiceChannelTest, KeepsTheChannelForOthersAndDropsLateData) {
    run(one_of_two_closes());
}

awaitable<void> ServiceChannelTest::refused_alone() {
    auto peer = begin();
    EXPECT_TRUE(co_await send(peer, preamble(kRefusedKey) + frame(a, "x")));
    EXPECT_EQ(co_await receive(peer), "<closed>");
    EXPECT_EQ(peer.close_received()->code, 1011);
}

TEST_F(ServiceChannelTest, ClosesTheChannelWhenItsOnlyTargetRefuses) {
    run(refused_alone());
}

awaitable<void> ServiceChannelTest::empty_frames() {
    auto peer = begin();
    EXPECT_TRUE(co_await send(peer, preamble(kKey) + frame(b, "") + frame(a, "") + frame(a, "x")));
    auto application = co_await accept(target);
    EXPECT_TRUE(co_await send(peer, frame(a, "") + frame(a, "y")));
    EXPECT_EQ(co_await read(application, 2), "xy");
    EXPECT_EQ(entity->places->share()->held(), 1u);
}

TEST_F(ServiceChannelTest, IgnoresEmptyFrames) {
    run(empty_frames());
}

awaitable<void> ServiceChannelTest::channel_ends() {
    auto peer = begin();
    auto other = begin();
    const std::string data = pattern(200000, 3);
    EXPECT_TRUE(co_await send(other, preamble(kKey) + frame(b, "b")));
    auto spared = co_await accept(target);
    EXPECT_EQ(co_await read(spared, 1), "b");
    EXPECT_TRUE(co_await send(peer, preamble(kKey)));
    for (std::size_t i = 0; i < data.size(); i += 50000)
        EXPECT_TRUE(co_await send(peer, frame(a, data.substr(i, 50000))));
    auto application = co_await accept(target);
    co_await peer.close(1000, "", 5000ms);
    // Everything, and then the end.
    EXPECT_EQ(co_await read(application, data.size() + 1), data);
    EXPECT_TRUE(co_await send(other, frame(b, "alive")));
    EXPECT_EQ(co_await read(spared, 5), "alive");
}

TEST_F(ServiceChannelTest, EndDeliversWhatIsQueuedAndClosesItsTargetsOnly) {
    run(channel_ends());
}

awaitable<void> ServiceChannelTest::idle() {
    options.channel_idle = 0s;
    auto peer = begin();
    EXPECT_EQ(co_await receive(peer), "<closed>");
}

TEST_F(ServiceChannelTest, ClosesAnIdleChannel) {
    run(idle());
}

awaitable<void> ServiceChannelTest::reopened() {
    options.reopen = ServiceChannel::Reopen::always;
    auto peer = begin();
    EXPECT_TRUE(co_await send(peer, preamble(kKey) + frame(a, "1")));
    {
        auto first = co_await accept(target);
        EXPECT_EQ(co_await read(first, 1), "1");
        EXPECT_TRUE(co_await write(first, "end"));
    }
    EXPECT_EQ(co_await receive(peer), frame(a, "end"));
    co_await until([&] { return entity->places->share()->held() == 0; });
    EXPECT_TRUE(co_await send(peer, frame(a, "2")));
    auto second = co_await accept(target);
    EXPECT_EQ(co_await read(second, 1), "2");
}

TEST_F(ServiceChannelTest, DialsAgainAfterTheTargetsCloseIfAsked) {
    run(reopened());
}

}  // namespace
}  // namespace hpb::agent::service
