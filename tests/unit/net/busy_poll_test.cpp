#include "net/busy_poll.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace hpb::net {
namespace {

using namespace std::chrono_literals;

class BusyPollTest : public testing::Test {
protected:
    void wait(Clock::duration time, unsigned times = 1) {
        for (unsigned i = 0; i < times; ++i) policy.on_waited(time);
    }
    [[nodiscard]] bool worthwhile() const { return policy.is_worthwhile(now); }

    BusyPoll policy{100us};
    Clock::time_point now{1h};
};

TEST_F(BusyPollTest, IsEarnedByShortWaitsInARow) {
    EXPECT_FALSE(worthwhile());
    wait(150us, BusyPoll::kEarned - 1);
    EXPECT_FALSE(worthwhile());
    wait(10us);
    EXPECT_TRUE(worthwhile());
}

TEST_F(BusyPollTest, IsLostByOneLongWait) {
    wait(10us, BusyPoll::kEarned);
    wait(1ms);
    EXPECT_FALSE(worthwhile()) << "a path of a millisecond must not cost a processor";
    wait(10us, BusyPoll::kEarned - 1);
    EXPECT_FALSE(worthwhile());
}

TEST_F(BusyPollTest, RestsAfterLookingInVain) {
    // The waits are a little longer than it looks: each look is in vain.
    wait(150us, BusyPoll::kEarned);
    auto rest = BusyPoll::kRest;
    for (int i = 0; i < 10; ++i) {
        for (unsigned look = 0; look < BusyPoll::kVain; ++look) {
            ASSERT_TRUE(worthwhile()) << "rest " << i << ", look " << look;
            policy.on_nothing(now);
            wait(150us, BusyPoll::kEarned);
        }
        EXPECT_FALSE(policy.is_worthwhile(now + rest - 1us)) << "rest " << i;
        now += rest;
        rest = std::min(2 * rest, BusyPoll::kMostRest);
    }
}

TEST_F(BusyPollTest, SuccessMakesRestsShortAgain) {
    const auto look_in_vain = [&] {
        for (unsigned look = 0; look < BusyPoll::kVain; ++look) policy.on_nothing(now);
        wait(10us, BusyPoll::kEarned);
        EXPECT_FALSE(worthwhile());
    };
    look_in_vain();
    now += BusyPoll::kRest;
    look_in_vain();
    now += 2 * BusyPoll::kRest;
    EXPECT_TRUE(worthwhile());
    policy.on_found();
    look_in_vain();
    EXPECT_TRUE(policy.is_worthwhile(now + BusyPoll::kRest));
}

// Bursts of a few short waits and a pause, as of every trickle: the look into the pause has to be
// paid for by what was found before it.
TEST_F(BusyPollTest, HasToPay) {
    wait(10us, BusyPoll::kEarned);
    for (unsigned burst = 0; burst < 100; ++burst) {
        for (unsigned found = 0; found < BusyPoll::kPrice; ++found) policy.on_found();
        policy.on_nothing(now);
        ASSERT_TRUE(worthwhile()) << burst;
    }
    unsigned bursts = 0;
    for (; worthwhile() && bursts < 100; ++bursts) {
        policy.on_found();
        policy.on_nothing(now);
    }
    EXPECT_LT(bursts, 2 * BusyPoll::kVain);
}

TEST_F(BusyPollTest, LetsOthersHaveTheProcessor) {
    wait(10us, BusyPoll::kEarned);
    policy.on_wanted_elsewhere(now);
    EXPECT_TRUE(worthwhile()) << "once may be chance";
    policy.on_wanted_elsewhere(now);
    wait(10us, BusyPoll::kEarned);
    EXPECT_FALSE(worthwhile());
}

// What a context does must not depend on how it waits.
class RunPolling : public testing::TestWithParam<std::chrono::microseconds> {};

TEST_P(RunPolling, RunsHandlersTimersAndOtherThreadsWorkUntilItIsStopped) {
    asio::io_context context(1);
    const auto guard = asio::make_work_guard(context);
    int turns = 0;
    asio::steady_timer timer(context);
    std::function<void()> turn = [&] {
        // Some short waits, so that looking is worthwhile, and long ones in between.
        if (++turns == 200) return context.stop();
        timer.expires_after(turns % 20 == 0 ? 1ms : 20us);
        timer.async_wait([&](error_code) { asio::post(context, turn); });
    };
    std::thread other([&] { asio::post(context, turn); });
    run_polling(context, GetParam());
    other.join();
    EXPECT_EQ(turns, 200);
    EXPECT_TRUE(context.stopped());
}

TEST_P(RunPolling, IsStoppedFromAnotherThreadWhileItWaits) {
    asio::io_context context(1);
    const auto guard = asio::make_work_guard(context);
    std::thread other([&] { asio::post(context, [&] { context.stop(); }); });
    run_polling(context, GetParam());
    other.join();
    EXPECT_TRUE(context.stopped());
}

INSTANTIATE_TEST_SUITE_P(WithAndWithout, RunPolling, testing::Values(0us, 100us, 1000us));

}  // namespace
}  // namespace hpb::net
