#include "agent/backoff.hpp"

#include <gtest/gtest.h>

#include "agent/relay_dialer.hpp"

namespace hpb::agent {
namespace {

using namespace std::chrono_literals;
constexpr double kMost = 0.999999;

TEST(Backoff, TriesAnUnreachableRelayAtOnceAndThenAtLeastEveryThreeSeconds) {
    Backoff backoff;
    EXPECT_EQ(backoff.next(Backoff::Cause::unreachable, kMost), 0ms);
    EXPECT_NEAR(static_cast<double>(backoff.next(Backoff::Cause::unreachable, kMost).count()), 500,
                2);
    EXPECT_NEAR(static_cast<double>(backoff.next(Backoff::Cause::unreachable, kMost).count()), 1000,
                2);
    EXPECT_NEAR(static_cast<double>(backoff.next(Backoff::Cause::unreachable, kMost).count()), 2000,
                2);
    for (int i = 0; i < 1000; ++i)
        EXPECT_LE(backoff.next(Backoff::Cause::unreachable, kMost), 3000ms);
}

TEST(Backoff, PressesARefusingRelayLess) {
    Backoff backoff;
    std::chrono::milliseconds longest{0};
    for (int i = 0; i < 100; ++i)
        longest = std::max(longest, backoff.next(Backoff::Cause::refused, kMost));
    EXPECT_GT(longest, 29s);
    EXPECT_LE(longest, 30s);
}

TEST(Backoff, SpreadsOverTheUpperHalfOfTheWait) {
    for (int failures = 1; failures < 10; ++failures) {
        Backoff low;
        Backoff high;
        for (int i = 0; i < failures; ++i) {
            (void)low.next(Backoff::Cause::unreachable, 0);
            (void)high.next(Backoff::Cause::unreachable, 0);
        }
        const auto least = low.next(Backoff::Cause::unreachable, 0);
        const auto most = high.next(Backoff::Cause::unreachable, kMost);
        EXPECT_GT(least, 0ms);
        EXPECT_NEAR(static_cast<double>(most.count()), static_cast<double>(2 * least.count()), 2);
    }
}

TEST(Backoff, BeginsAnewAfterASuccess) {
    Backoff backoff;
    for (int i = 0; i < 5; ++i) (void)backoff.next(Backoff::Cause::refused, kMost);
    backoff.reset();
    EXPECT_EQ(backoff.next(Backoff::Cause::refused, kMost), 0ms);
}

TEST(TokenRenewal, ComesBeforeTheExpiry) {
    EXPECT_EQ(renewal_delay(kTokenLifetime), 48min);
    EXPECT_LT(renewal_delay(300s), 300s);
}

}  // namespace
}  // namespace hpb::agent
