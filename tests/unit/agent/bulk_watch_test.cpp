#include "agent/client/bulk_watch.hpp"

#include <gtest/gtest.h>

namespace hpb::agent::client {
namespace {

using namespace std::chrono_literals;
constexpr auto kStep = BulkWatch::kStep;

struct Session {
    BulkWatch watch;
    BulkWatch::TimePoint now{1h};
    std::uint64_t total = 0;

    /// Moves so much in this time. @return whether that makes it busy.
    bool move(std::uint64_t bytes, std::chrono::milliseconds time) {
        total += bytes;
        now += time;
        if (watch.is_step(total)) watch.on_step(total, now);
        return now < watch.busy_until();
    }
};

TEST(BulkWatch, MoreThanAGigabitPerSecondForAWhileIsBusy) {
    Session session;
    EXPECT_FALSE(session.move(kStep, 200ms)) << "nothing is known of the time before";
    EXPECT_FALSE(session.move(kStep, 200ms)) << "a single burst";
    EXPECT_TRUE(session.move(kStep, 200ms));
    EXPECT_EQ(session.watch.busy_until(), session.now + BulkWatch::kKept);
}

TEST(BulkWatch, AGigabitPerSecondIsNot) {
    Session session;
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(session.move(kStep, 269ms));
}

TEST(BulkWatch, BurstsBetweenPausesAreNot) {
    Session session;
    for (int i = 0; i < 100; ++i) {
        EXPECT_FALSE(session.move(kStep, 10ms));
        EXPECT_FALSE(session.move(kStep, 1s));
    }
}

TEST(BulkWatch, StepsMayBeOfAnySize) {
    Session session;
    EXPECT_FALSE(session.move(kStep - 1, 1ms));
    EXPECT_FALSE(session.move(5 * kStep, 100ms));
    EXPECT_FALSE(session.move(5 * kStep, 1249ms));
    EXPECT_TRUE(session.move(5 * kStep, 1249ms));
    EXPECT_TRUE(session.move(5 * kStep, 1251ms)) << "for some time yet";
}

TEST(BulkWatch, StaysBusyWhileItGoesOnAndForAWhileAfter) {
    Session session;
    for (int i = 0; i < 500; ++i) (void)session.move(kStep, 100ms);
    EXPECT_TRUE(session.move(0, 29s));
    EXPECT_FALSE(session.move(0, 1s));
    EXPECT_FALSE(session.move(kStep, 100ms)) << "and begins anew after that";
}

}  // namespace
}  // namespace hpb::agent::client
