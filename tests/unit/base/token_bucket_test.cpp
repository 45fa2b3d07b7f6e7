#include "base/token_bucket.hpp"

#include <gtest/gtest.h>

namespace hpb {
namespace {

using namespace std::chrono_literals;
using TimePoint = TokenBucket::TimePoint;

constexpr TimePoint kStart{std::chrono::hours(1)};

TEST(TokenBucket, GivesTheBurstAtOnceAndThenTheRate) {
    TokenBucket bucket(10, 3);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.try_take(kStart));
    EXPECT_FALSE(bucket.try_take(kStart));
    EXPECT_FALSE(bucket.try_take(kStart + 99ms));
    EXPECT_TRUE(bucket.try_take(kStart + 101ms));
    EXPECT_FALSE(bucket.try_take(kStart + 102ms));
}

TEST(TokenBucket, NeverSavesMoreThanTheBurst) {
    TokenBucket bucket(10, 3);
    EXPECT_TRUE(bucket.try_take(kStart + 100h, 3));
    EXPECT_FALSE(bucket.try_take(kStart + 100h));
}

TEST(TokenBucket, TellsHowLongAnEventThatMustHappenIsPutOff) {
    TokenBucket bucket(10, 1);
    EXPECT_EQ(bucket.take(kStart), TokenBucket::Duration::zero());
    EXPECT_EQ(bucket.take(kStart), 100ms);
    EXPECT_EQ(bucket.take(kStart), 200ms);
    EXPECT_FALSE(bucket.is_full(kStart + 200ms));
    EXPECT_TRUE(bucket.is_full(kStart + 310ms));
}

TEST(TokenBucket, TakesNothingThatWouldHaveToWaitTooLong) {
    TokenBucket bucket(10, 2);
    EXPECT_EQ(bucket.take_within(kStart, 250ms), 0ms);
    EXPECT_EQ(bucket.take_within(kStart, 250ms), 0ms);
    EXPECT_EQ(bucket.take_within(kStart, 250ms), 100ms);
    EXPECT_EQ(bucket.take_within(kStart, 250ms), 200ms);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.take_within(kStart, 250ms), std::nullopt);
    EXPECT_EQ(bucket.take_within(kStart + 100ms, 250ms), 200ms);
}

TEST(TokenBucket, TimeThatGoesBackGivesNothing) {
    TokenBucket bucket(10, 1);
    EXPECT_TRUE(bucket.try_take(kStart));
    EXPECT_FALSE(bucket.try_take(kStart - 10s));
    EXPECT_FALSE(bucket.try_take(kStart));
}

TEST(SourceBuckets, OneSourceDoesNotTakeFromAnother) {
    SourceBuckets buckets(1, 2, 10);
    EXPECT_TRUE(buckets.of("a").try_take(kStart, 2));
    EXPECT_FALSE(buckets.of("a").try_take(kStart));
    EXPECT_TRUE(buckets.of("b").try_take(kStart));
}

TEST(SourceBuckets, ForgetsTheSourceThatWasQuietForLongest) {
    SourceBuckets buckets(1, 1, 2);
    EXPECT_TRUE(buckets.of("a").try_take(kStart));
    EXPECT_TRUE(buckets.of("b").try_take(kStart));
    EXPECT_FALSE(buckets.of("a").try_take(kStart));
    EXPECT_TRUE(buckets.of("c").try_take(kStart));  // in the place of b
    EXPECT_EQ(buckets.size(), 2U);
    EXPECT_FALSE(buckets.of("a").try_take(kStart));
    EXPECT_TRUE(buckets.of("b").try_take(kStart));
}

}  // namespace
}  // namespace hpb
