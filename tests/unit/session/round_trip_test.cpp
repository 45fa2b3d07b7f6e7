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
    void exchange(milliseconds took) {
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
    EXPECT_EQ(pair.client->find_channel(channel)->round_trip, milliseconds{20});
    EXPECT_EQ(pair.client->round_trip(), milliseconds{20});
    pair.lose(channel);
    EXPECT_LT(pair.client->round_trip(), milliseconds{0}) << "that channel is gone";
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

}  // namespace
}  // namespace hpb::session
