#include "session/handshake.hpp"

#include <gmock/gmock.h>

#include "support/bytes_text.hpp"

namespace hpb::session {
namespace {

TEST(Proofs, DependOnEveryPartAndOnTheEnd) {
    Secret secret{};
    SessionId session;
    const ChannelId channel{1};
    Nonce client{};
    Nonce service{};
    const Proof proof = client_proof(secret, session, channel, client);
    EXPECT_TRUE(equal(proof, client_proof(secret, session, channel, client)));
    EXPECT_FALSE(equal(proof, client_proof(secret, session, {2}, client)));
    EXPECT_FALSE(equal(proof, service_proof(secret, session, channel, client, service)));
    client[15] = std::byte{1};
    EXPECT_FALSE(equal(proof, client_proof(secret, session, channel, client)));
    client[15] = std::byte{0};
    session.bytes[0] = std::byte{1};
    EXPECT_FALSE(equal(proof, client_proof(secret, session, channel, client)));
    session.bytes[0] = std::byte{0};
    secret[31] = std::byte{1};
    EXPECT_FALSE(equal(proof, client_proof(secret, session, channel, client)));
    const Proof welcome = service_proof(secret, session, channel, client, service);
    service[0] = std::byte{1};
    EXPECT_FALSE(equal(welcome, service_proof(secret, session, channel, client, service)));
}

TEST(Versions, TheHighestInCommonIsChosen) {
    EXPECT_EQ(choose_version(2, 2), 2);
    EXPECT_EQ(choose_version(1, 9), kVersion);
    EXPECT_EQ(choose_version(kVersion + 1, kVersion + 3), std::nullopt);
    EXPECT_EQ(choose_version(0, kMinVersion - 1), std::nullopt);
}

TEST(ReplayWindow, EachNumberOnceAndTheOldNever) {
    ReplayWindow window;
    EXPECT_TRUE(window.is_fresh({1}));
    window.mark({1});
    EXPECT_FALSE(window.is_fresh({1}));
    window.mark({3});
    EXPECT_TRUE(window.is_fresh({2}));
    window.mark({2});
    EXPECT_FALSE(window.is_fresh({2}));
    EXPECT_FALSE(window.is_fresh({3}));
    window.mark({66});
    EXPECT_FALSE(window.is_fresh({3})) << "63 below the highest, and used";
    EXPECT_TRUE(window.is_fresh({4})) << "62 below, and never used";
    EXPECT_FALSE(window.is_fresh({2})) << "too old to tell";
    window.mark({1000});
    EXPECT_FALSE(window.is_fresh({936}));
    EXPECT_TRUE(window.is_fresh({937}));
    EXPECT_TRUE(window.is_fresh({~std::uint64_t{0}}));
}

TEST(HelloReader, TakesHelloAndLeavesWhatFollows) {
    HelloFrame hello;
    hello.channel = {1};
    ControlFrame frame = encode(hello);
    std::vector<std::byte> wire{frame.finish().begin(), frame.finish().end()};
    wire.push_back(std::byte{0x20});
    HelloReader reader;
    for (std::size_t i = 0; i + 2 < wire.size(); ++i) {
        ByteSpan in = ByteSpan{wire}.subspan(i, 1);
        const auto none = reader.next(in);
        ASSERT_TRUE(none.has_value() && !*none);
    }
    ByteSpan in = ByteSpan{wire}.subspan(wire.size() - 2);
    const auto found = reader.next(in);
    ASSERT_TRUE(found.has_value() && *found);
    EXPECT_EQ(in.size(), 1U);
}

TEST(HelloReader, RefusesAnythingElse) {
    for (const char* hex : {"1600000000000005", "48545450", "ffff040100000000"}) {
        auto wire = test::from_hex(hex);
        wire.resize(64);
        HelloReader reader;
        ByteSpan in{wire};
        EXPECT_FALSE(reader.next(in)) << hex;
    }
}

}  // namespace
}  // namespace hpb::session
