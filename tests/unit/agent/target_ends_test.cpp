#include "agent/service/target_ends.hpp"

#include <gtest/gtest.h>

namespace hpb::agent::service {
namespace {

using namespace std::chrono_literals;

struct TargetEndsTest : testing::Test {
    std::shared_ptr<TargetEnds> ends = std::make_shared<TargetEnds>();
    TargetEnds::TimePoint t = TargetEnds::TimePoint(1000s);
};

TEST_F(TargetEndsTest, AnEndInTheMiddleOfSomethingIsADoubtForThoseAroundIt) {
    ends->note_end(t, false, t);
    EXPECT_TRUE(ends->went_down(t - 199ms));
    EXPECT_TRUE(ends->went_down(t + 199ms));
    EXPECT_FALSE(ends->went_down(t - 200ms));
    EXPECT_FALSE(ends->went_down(t + 200ms));
}

TEST_F(TargetEndsTest, IdleEndsAreNoDoubt) {
    for (int i = 0; i < 20; ++i) ends->note_end(t, true, t - TargetEnds::kInUse);
    EXPECT_FALSE(ends->in_doubt(t));
}

TEST_F(TargetEndsTest, TwoConnectionsInUseThatEndTogetherAreADoubtAndOneIsNot) {
    ends->note_end(t, true, t - 1ms);
    ends->note_end(t + 200ms, true, t + 199ms);
    EXPECT_FALSE(ends->in_doubt(t));
    ends->note_end(t + 300ms, true, t + 299ms);
    EXPECT_TRUE(ends->in_doubt(t + 50ms)) << "near the first of the two";
    EXPECT_TRUE(ends->in_doubt(t + 450ms));
    EXPECT_FALSE(ends->in_doubt(t));
}

TEST_F(TargetEndsTest, AnOlderConnectionThatIsStillAliveSpeaksForTheTarget) {
    auto older = ends->alive(t - 1s);
    const auto newer = ends->alive(t + 1ms);
    ends->note_end(t, false, t);
    EXPECT_TRUE(ends->in_doubt(t));
    EXPECT_FALSE(ends->went_down(t));
    older.reset();
    EXPECT_FALSE(ends->went_down(t)) << "it has ended long after the others";
}

TEST_F(TargetEndsTest, OneThatEndsWithTheOthersDoesNot) {
    const auto now = std::chrono::steady_clock::now();
    auto older = ends->alive(now - 1s);
    ends->note_end(now + 60s, false, now);  // so that the test may take its time
    older.reset();
    EXPECT_TRUE(ends->went_down(now + 60s));
}

TEST_F(TargetEndsTest, ATargetThatEndsConnectionsAllTheTimeIsSeveralDoubts) {
    for (int i = 0; i < 10; ++i) ends->note_end(t + i * 100ms, false, t);
    const auto token = ends->alive(t + 450ms);
    EXPECT_TRUE(ends->went_down(t)) << "that one is younger";
    EXPECT_FALSE(ends->went_down(t + 900ms));
}

TEST_F(TargetEndsTest, TokensOutliveTheirOwner) {
    const auto token = ends->alive(t);
    ends.reset();
    EXPECT_TRUE(token);
}

TEST_F(TargetEndsTest, RemembersABoundedNumberOfTimes) {
    for (std::size_t i = 0; i < TargetEnds::kMaxDoubts; ++i) ends->note_end(t + i * 1s, false, t);
    EXPECT_TRUE(ends->in_doubt(t));
    ends->note_end(t + TargetEnds::kMaxDoubts * 1s, false, t);
    EXPECT_FALSE(ends->in_doubt(t));
    EXPECT_TRUE(ends->in_doubt(t + 1s));
}

}  // namespace
}  // namespace hpb::agent::service
