#include "agent/backoff.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "agent/relay_dialer.hpp"

namespace hpb::agent {
namespace {

using namespace std::chrono_literals;
constexpr double kMost = 0.999999;

constexpr auto kUnreachable = Backoff::Cause::unreachable;
constexpr auto kRefused = Backoff::Cause::refused;

double ms(std::chrono::milliseconds wait) {
    return static_cast<double>(wait.count());
}

TEST(Backoff, TriesAnUnreachableRelayAtOnceThenQuicklyAndAtLeastEveryThreeSeconds) {
    Backoff backoff;
    EXPECT_EQ(backoff.next(kUnreachable, kMost), 0ms);
    for (const double expected : {100., 200., 400., 800., 1600., 3000., 3000.})
        EXPECT_NEAR(ms(backoff.next(kUnreachable, kMost)), expected, 2);
    for (int i = 0; i < 1000; ++i) EXPECT_LE(backoff.next(kUnreachable, kMost), 3000ms);
}

TEST(Backoff, PressesARefusingRelayLess) {
    Backoff backoff;
    std::chrono::milliseconds longest{0};
    for (int i = 0; i < 100; ++i) longest = std::max(longest, backoff.next(kRefused, kMost));
    EXPECT_GT(longest, 29s);
    EXPECT_LE(longest, 30s);
}

TEST(Backoff, ARefusalIsNoReasonToWaitForARelayThatIsBeingRestarted) {
    Backoff backoff;
    for (int i = 0; i < 8; ++i) (void)backoff.next(kRefused, kMost);
    EXPECT_LE(backoff.next(kUnreachable, kMost), 100ms);
    EXPECT_GT(backoff.next(kRefused, kMost), 20s) << "but it is not forgotten either";
}

TEST(Backoff, SpreadsOverTheUpperHalfOfTheWait) {
    for (const auto cause : {kUnreachable, kRefused}) {
        Backoff low;
        Backoff high;
        (void)low.next(cause, 0);
        (void)high.next(cause, 0);
        for (int failures = 1; failures < 10; ++failures) {
            const auto least = low.next(cause, 0);
            EXPECT_GT(least, 0ms);
            EXPECT_NEAR(ms(high.next(cause, kMost)), 2 * ms(least), 2);
        }
    }
}

TEST(Backoff, BeginsAnewAfterAControlChannelThatLasted) {
    Backoff backoff;
    for (int i = 0; i < 5; ++i) {
        (void)backoff.next(kRefused, kMost);
        (void)backoff.next(kUnreachable, kMost);
    }
    EXPECT_EQ(backoff.after_loss(Backoff::kLasting, kMost), 0ms);
    EXPECT_NEAR(ms(backoff.next(kUnreachable, kMost)), 100, 2) << "the attempt at once was it";
    EXPECT_EQ(backoff.next(kRefused, kMost), 0ms);
}

TEST(Backoff, ARelayThatIsRestartedAllTheTimeIsFoundEachTimeWithinAFewHundredMilliseconds) {
    Backoff backoff;
    for (int restart = 0; restart < 1000; ++restart) {
        EXPECT_LE(backoff.after_loss(300ms, kMost), 100ms);
        std::chrono::milliseconds down{0};
        while (down < 300ms) down += backoff.next(kUnreachable, kMost);
        EXPECT_LE(down, 700ms);
    }
}

TEST(Backoff, OneShortLifeAmongOthersDoesNotCount) {
    Backoff backoff;
    for (int i = 0; i < 100; ++i) {
        EXPECT_LE(backoff.after_loss(10ms, kMost), 200ms);
        EXPECT_LE(backoff.after_loss(Backoff::kGlimpse, kMost), 100ms);
    }
}

TEST(Backoff, ARelayThatThrowsListenersOutIsNotPressed) {
    Backoff backoff;
    std::chrono::milliseconds all{0};
    for (int i = 0; i < 20; ++i) all += backoff.after_loss(10ms, 0);
    EXPECT_GT(all, 20s);
    EXPECT_LE(backoff.after_loss(10ms, kMost), 3s);
}

TEST(Patience, IsShortUntilSeveralAttemptsGotNoAnswer) {
    Patience patience(2s);
    for (std::size_t i = 0; i < Patience::kAttempts; ++i) {
        EXPECT_EQ(patience.limit(40s), 5s);
        EXPECT_EQ(patience.limit(3s), 3s);
        patience.on_timeout();
    }
    EXPECT_EQ(patience.limit(40s), 10s);
    for (int i = 0; i < 1000; ++i) patience.on_timeout();
    EXPECT_EQ(patience.limit(40s), 40s);
    patience.on_answer();
    EXPECT_EQ(patience.limit(40s), 5s);
    EXPECT_EQ(Patience(20s).limit(40s), 20s) << "who sets a long keep-alive expects a slow path";
}

TEST(TokenRenewal, ComesBeforeTheExpiry) {
    EXPECT_EQ(renewal_delay(kTokenLifetime), 48min);
    EXPECT_LT(renewal_delay(300s), 300s);
}

}  // namespace
}  // namespace hpb::agent
