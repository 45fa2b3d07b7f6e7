// What a peer may have of a session, and what happens at the limit.
#include <gtest/gtest.h>

#include "session/session.hpp"
#include "support/session_pair.hpp"

namespace hpb::session {
namespace {

using test::SessionPair;

TEST(SessionIds, RunOut) {
    Limits limits;
    limits.first_stream_index = 0x7fffffff - 1;
    SessionPair pair{limits};
    const ChannelId channel = pair.connect();
    const auto last = pair.client->open({});
    ASSERT_TRUE(last);
    EXPECT_EQ(last->value, 0xfffffffd);
    EXPECT_EQ(pair.client->open({}).error().code(), make_error_code(errc::ids_exhausted));
    pair.run(channel);
    EXPECT_EQ(pair.service()->stream_count(), 1U);
}

TEST(SessionLimits, StreamsWaitForOthersToEnd) {
    Limits limits;
    limits.max_streams = 2;
    SessionPair pair{limits};
    const ChannelId channel = pair.connect();
    const StreamId first = pair.client->open({}).value();
    EXPECT_TRUE(pair.client->open({}));
    EXPECT_EQ(pair.client->open({}).error().code(), make_error_code(errc::too_many_streams));
    pair.run(channel);
    EXPECT_TRUE(pair.service()->refuse(first, OpenRefusal::timed_out, ""));
    pair.run(channel);
    pair.run(channel);
    EXPECT_TRUE(pair.client->open({}));
}

// S3: streams that end before they have carried a byte are granted again, but not at once.
TEST(SessionLimits, StreamsThatWereOfNoUseComeBackSlowly) {
    SessionPair pair;
    const ChannelId channel = pair.connect();
    const auto open_and_reset = [&] {
        int made = 0;
        for (; made < 10'000; ++made) {
            const auto stream = pair.client->open({});
            if (!stream) break;
            pair.run(channel);
            pair.client->reset(*stream);
            pair.run(channel);
        }
        return made;
    };
    const int at_once = open_and_reset();
    EXPECT_GE(at_once, 1024);
    EXPECT_LE(at_once, 1024 + 512);
    EXPECT_FALSE(pair.service()->is_ended());
    pair.now += std::chrono::seconds{10};
    pair.service()->on_timeout(pair.now);
    pair.run(channel);
    EXPECT_GT(open_and_reset(), 500);
    EXPECT_EQ(pair.service()->next_deadline() <= pair.now + std::chrono::seconds{1}, true);
}

// S3: those that carried something cost nothing.
TEST(SessionLimits, StreamsThatWereUsedAreGrantedAgainAtOnce) {
    SessionPair pair;
    const ChannelId channel = pair.connect();
    for (int i = 0; i < 5000; ++i) {
        const auto stream = pair.client->open({});
        ASSERT_TRUE(stream) << i;
        ASSERT_TRUE(pair.client->write(*stream, as_bytes(std::string_view("x"))));
        pair.run(channel);
        ASSERT_TRUE(pair.service()->accept(*stream));
        EXPECT_EQ(SessionPair::read(*pair.service(), *stream), "x");
        pair.client->reset(*stream);
        pair.run(channel);
    }
}

// S11: each CHANNEL_LOST is work for every stream.
TEST(SessionLimits, ChannelsAreNotLostWithoutEnd) {
    SessionPair pair;
    const ChannelId channel = pair.connect();
    Result<void> taken;
    int count = 0;
    for (; taken && count < 10'000; ++count) {
        ControlFrame frame{FrameType::channel_lost, {}};
        frame.u64(1000);
        taken = pair.service()->on_bytes(channel, frame.finish(), pair.now);
    }
    EXPECT_EQ(taken.error().code(), make_error_code(errc::flood));
    EXPECT_GT(count, 64);
    EXPECT_LT(count, 200);
}

TEST(SessionLimits, AStoppedReaderHoldsNobodyElseUp) {
    Limits limits;
    limits.max_streams = 4;
    limits.receive_budget = 64 * 1024;
    limits.stream_window = 64 * 1024;
    limits.initial_credit = 4 * 1024;
    SessionPair pair{limits};
    const ChannelId channel = pair.connect();
    const std::string much(std::size_t{1} << 20, 'x');
    std::vector<StreamId> ids;
    for (int i = 0; i < 4; ++i) {
        ids.push_back(pair.client->open({}).value());
        pair.run(channel);
        EXPECT_TRUE(pair.service()->accept(ids.back()));
        pair.run(channel);
        EXPECT_GE(pair.client->write(ids.back(), as_bytes(much)).value(), 4096U);
        pair.run(channel);
    }
    // Nobody has read the first three; the fourth still moves.
    std::size_t moved = 0;
    for (int i = 0; i < 100; ++i) {
        moved += SessionPair::read(*pair.service(), ids[3]).size();
        pair.run(channel);
        static_cast<void>(pair.client->write(ids[3], as_bytes(much)));
        pair.run(channel);
    }
    EXPECT_GT(moved, 100U * 2048);
    EXPECT_LE(pair.service_pool.in_use() * pair.service_pool.slab_size(), 64U * 1024 + 16 * 16384);
}

}  // namespace
}  // namespace hpb::session
