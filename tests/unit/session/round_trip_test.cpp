// How a session learns the round trip of its channels.
#include <gmock/gmock.h>

#include "support/session_pair.hpp"

namespace hpb::session {
namespace {

using test::SessionPair;

// A channel whose other end answers each ping after the time that a test chooses.
class RoundTripTest : public ::testing::Test {
protected:
    void connect() {
        channel = pair.client->attach({}, pair.now).value();
        const std::string hello = SessionPair::output(*pair.client, channel);
        HelloReader reader;
        ByteSpan in = as_bytes(hello);
        static_cast<void>(pair.table.admit(*reader.next(in).value(), {}, pair.now));
        to_client();
    }
    void to_client() {
        const std::string wire = SessionPair::output(*pair.service(), channel);
        ASSERT_TRUE(pair.client->on_bytes(channel, as_bytes(wire), pair.now));
    }
    void to_service() {
        const std::string wire = SessionPair::output(*pair.client, channel);
        ASSERT_TRUE(pair.service()->on_bytes(channel, as_bytes(wire), pair.now));
    }
    // Both directions, and time between.
    void exchange(std::chrono::microseconds took) {
        pair.client->on_timeout(pair.now);
        to_service();
        pair.now += took;
        to_client();
    }
    [[nodiscard]] std::size_t pings_due() {
        pair.client->on_timeout(pair.now);
        const std::string wire = SessionPair::output(*pair.client, channel);
        EXPECT_TRUE(pair.service()->on_bytes(channel, as_bytes(wire), pair.now));
        return wire.find('\x20') == 0 ? 1 : 0;
    }

    SessionPair pair;
    ChannelId channel;
};

TEST_F(RoundTripTest, IsMeasuredAtOnceAndTheSmallestIsKept) {
    connect();
    EXPECT_LT(pair.client->round_trip(), milliseconds{0});
    exchange(milliseconds{30});
    EXPECT_EQ(pair.client->round_trip(), milliseconds{30});
    to_service();
    EXPECT_EQ(pair.service()->round_trip(), milliseconds{0}) << "asked with WELCOME";
    const StreamId id = pair.client->open({}).value();
    for (const int ms : {50, 20, 40}) {
        EXPECT_EQ(pair.client->write(id, as_bytes("x")).value(), 1U);
        exchange(milliseconds{ms});
        pair.now += milliseconds{1000};
        exchange(milliseconds{ms});
    }
    EXPECT_EQ(pair.client->round_trip(), milliseconds{20});
    pair.lose(channel);
    EXPECT_EQ(pair.client->round_trip(), milliseconds{20}) << "it is the path's, not the channel's";
}

TEST_F(RoundTripTest, IsAskedForAgainAtOnceWhereThePathMayBeShort) {
    connect();
    for (const int us : {1500, 1200, 900, 400}) {
        to_service();
        pair.now += std::chrono::microseconds{us};
        to_client();
        EXPECT_EQ(pair.client->round_trip(), std::chrono::microseconds{us});
    }
    EXPECT_EQ(pings_due(), 0U) << "it is short";
}

TEST_F(RoundTripTest, IsMeasuredOnceASecondWhileDataFlowsAndNotInSilence) {
    connect();
    exchange(milliseconds{10});
    const StreamId id = pair.client->open({}).value();
    pair.now += milliseconds{2000};
    EXPECT_EQ(pings_due(), 0U) << "nothing flows";
    EXPECT_EQ(pair.client->write(id, as_bytes("x")).value(), 1U);
    to_service();
    EXPECT_EQ(pings_due(), 1U);
    EXPECT_EQ(pair.client->write(id, as_bytes("x")).value(), 1U);
    to_service();
    pair.now += milliseconds{2000};
    EXPECT_EQ(pings_due(), 0U) << "the last was not answered";
}

// A channel that replaces another one while data flows measures the queue: that must not become
// the path, or windows made for it keep the queue up.
TEST_F(RoundTripTest, AQueueIsNotTakenForTheNewChannelsPath) {
    connect();
    exchange(std::chrono::microseconds{200});
    pair.lose(channel);
    connect();
    const StreamId id = pair.client->open({}).value();
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(pair.client->write(id, as_bytes("x")).value(), 1U);
        exchange(milliseconds{15});
        pair.now += milliseconds{1000};
    }
    EXPECT_EQ(pair.client->round_trip(), std::chrono::microseconds{200});
}

TEST(RoundTripRule, ALongerPathIsBelievedInSilence) {
    RoundTrip path;
    path.on_sample(milliseconds{1}, true);
    for (unsigned i = 2; i < RoundTrip::kConvincing; i += 2) path.on_sample(milliseconds{9}, true);
    EXPECT_EQ(path.smallest(), milliseconds{1});
    path.on_sample(milliseconds{8}, true);
    EXPECT_EQ(path.smallest(), milliseconds{8}) << "the smallest of them";
}

TEST(RoundTripRule, WhileDataFlowsOnlyWhatNoQueueExplainsIsBelieved) {
    RoundTrip path;
    path.on_sample(milliseconds{1}, true);
    for (int i = 0; i < 100; ++i) path.on_sample(milliseconds{22}, false);
    EXPECT_EQ(path.smallest(), milliseconds{1});
    for (unsigned i = 1; i < RoundTrip::kConvincing; ++i) path.on_sample(milliseconds{50}, false);
    path.on_sample(milliseconds{20}, false);
    EXPECT_EQ(path.smallest(), milliseconds{1}) << "one short sample refutes all";
    for (unsigned i = 0; i < RoundTrip::kConvincing; ++i) path.on_sample(milliseconds{50}, false);
    EXPECT_EQ(path.smallest(), milliseconds{50});
    path.on_sample(milliseconds{30}, false);
    EXPECT_EQ(path.smallest(), milliseconds{30}) << "shorter is believed at once";
}

}  // namespace
}  // namespace hpb::session
