#include <gtest/gtest.h>

#include "agent/client/port_listener.hpp"
#include "agent/mapping_notes.hpp"
#include "agent/quota.hpp"
#include "agent/tunnel_v1/ended_ids.hpp"
#include "net/source.hpp"

namespace hpb::agent {
namespace {

TEST(EndedIds, ForgetsTheOldestBeyondItsLimit) {
    tunnel_v1::EndedIds ids(3);
    std::vector<v1::ConnectionId> made;
    for (int i = 0; i < 5; ++i) {
        made.push_back(v1::ConnectionId::random());
        EXPECT_EQ(ids.insert(made.back(), {.idle = false, .at = {}}), i < 3);
        EXPECT_TRUE(ids.insert(made.back(), {.idle = true, .at = {}}));
    }
    EXPECT_EQ(ids.size(), 3u);
    EXPECT_FALSE(ids.find(made[0]));
    EXPECT_FALSE(ids.find(made[1]));
    EXPECT_TRUE(ids.find(made[2]));
    const auto last = ids.find(made[4]);
    ASSERT_TRUE(last);
    EXPECT_TRUE(last->idle);
}

TEST(Quota, GivesOutItsLimitAndTakesPlacesBack) {
    const auto quota = std::make_shared<Quota>(2);
    auto first = Quota::try_take(quota);
    {
        const auto second = Quota::try_take(quota);
        EXPECT_TRUE(first && second);
        EXPECT_FALSE(Quota::try_take(quota));
        EXPECT_EQ(quota->used(), 2u);
    }
    auto again = Quota::try_take(quota);
    EXPECT_TRUE(again);
    const auto moved = std::move(again);
    EXPECT_EQ(quota->used(), 2u);
}

TEST(MappingNotes, SaysEachLimitOnceAndEachChangeOfStateOnce) {
    MappingNotes notes("simple/5011");
    EXPECT_TRUE(notes.first_time(MappingNotes::Limit::half_close));
    EXPECT_FALSE(notes.first_time(MappingNotes::Limit::half_close));
    EXPECT_TRUE(notes.first_time(MappingNotes::Limit::refusal));
    EXPECT_TRUE(notes.set_failing(true));
    EXPECT_FALSE(notes.set_failing(true));
    EXPECT_TRUE(notes.set_failing(false));
}

TEST(IpBytes, ComparesIpv4AndMappedIpv4Alike) {
    config::AllowList list;
    ASSERT_TRUE(list.add("192.0.2.0/24"));
    ASSERT_TRUE(list.add("2001:db8::1"));
    const auto admits = [&](const char* text) {
        return list.admits(net::address_bytes(net::asio::ip::make_address(text)));
    };
    EXPECT_TRUE(admits("192.0.2.7"));
    EXPECT_TRUE(admits("::ffff:192.0.2.7"));
    EXPECT_FALSE(admits("192.0.3.7"));
    EXPECT_TRUE(admits("2001:db8::1"));
    EXPECT_FALSE(admits("2001:db8::2"));
}

}  // namespace
}  // namespace hpb::agent
