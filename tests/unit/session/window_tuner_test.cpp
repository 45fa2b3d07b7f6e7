#include "session/window_tuner.hpp"

#include <gmock/gmock.h>

#include <deque>

namespace hpb::session {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

/// A sender that always has something to send, held back by credit only; a path with a rate and a
/// delay; and a reader that takes what has arrived, at its own rate.
class Path {
public:
    Path(double bytes_per_second, microseconds round_trip, WindowTuner& tuner)
        : rate_(bytes_per_second), trip_(round_trip), tuner_(tuner), granted_(tuner.window()) {}

    /// The reader takes at most so many bytes per second; looks for them every `interval`.
    void reader(double bytes_per_second, microseconds interval) {
        reader_rate_ = bytes_per_second;
        reader_interval_ = interval;
    }
    void rate(double bytes_per_second) { rate_ = bytes_per_second; }
    [[nodiscard]] microseconds now() const { return now_; }
    [[nodiscard]] std::uint64_t consumed() const { return consumed_; }

    void run(microseconds time) {
        constexpr microseconds kTick{100};  // 1e-4 s
        for (const microseconds end = now_ + time; now_ < end; now_ += kTick) {
            // Credit that arrives at the sender now was given half a round trip ago.
            while (!credits_.empty() && credits_.front().first <= now_) {
                credit_ = credits_.front().second;
                credits_.pop_front();
            }
            budget_ = std::min(budget_ + rate_ * 1e-4, rate_ * 1e-3);
            const auto n = std::min(static_cast<std::uint64_t>(budget_), credit_ - sent_);
            if (n > 0) {
                sent_ += n;
                budget_ -= static_cast<double>(n);
                arrivals_.emplace_back(now_ + trip_ / 2, sent_);
            }
            while (!arrivals_.empty() && arrivals_.front().first <= now_) {
                arrived_ = arrivals_.front().second;
                arrivals_.pop_front();
            }
            read();
        }
    }

private:
    void read() {
        if (now_ < next_read_) return;
        const auto waited =
            reader_interval_.count() == 0 ? 100.0 : static_cast<double>(reader_interval_.count());
        next_read_ = now_ + reader_interval_;
        std::uint64_t left = static_cast<std::uint64_t>(reader_rate_ * 1e-6 * waited);
        while (left > 0 && consumed_ < arrived_) {
            const std::uint64_t n = std::min({left, arrived_ - consumed_, 64 * kKiB});
            consumed_ += n;
            left -= n;
            const std::uint64_t window = tuner_.on_consumed(n, Clock::time_point{} + now_, trip_);
            const std::uint64_t step = std::min(window / 2, std::max(64 * kKiB, window / 8));
            if (consumed_ + window < granted_ + step) continue;
            granted_ = consumed_ + window;
            credits_.emplace_back(now_ + trip_ / 2, granted_);
        }
    }

    double rate_;
    microseconds trip_;
    WindowTuner& tuner_;
    double reader_rate_ = 1e12;
    microseconds reader_interval_{0};
    microseconds next_read_{0};
    microseconds now_{0};
    double budget_ = 0;
    std::uint64_t granted_;
    std::uint64_t credit_ = granted_;
    std::uint64_t sent_ = 0;
    std::uint64_t arrived_ = 0;
    std::uint64_t consumed_ = 0;
    std::deque<std::pair<microseconds, std::uint64_t>> credits_;
    std::deque<std::pair<microseconds, std::uint64_t>> arrivals_;
};

class WindowTunerTest : public ::testing::Test {
protected:
    WindowTuner tuner{256 * kKiB, 64 * kMiB};
};

TEST_F(WindowTunerTest, FillsALongFatPathWithinAFewRoundTrips) {
    Path path{125e6, milliseconds{200}, tuner};
    path.run(milliseconds{1100});  // the first bytes have been there for five round trips
    EXPECT_GT(tuner.window(), 30 * kMiB);
    path.run(seconds{2});
    const std::uint64_t before = path.consumed();
    path.run(seconds{5});
    EXPECT_GT(path.consumed() - before, 600'000'000U) << "of 625 MB";
    EXPECT_LE(tuner.window(), 64 * kMiB);
}

TEST_F(WindowTunerTest, FollowsTwiceWhatThePathHolds) {
    for (const double rate : {2e6, 5e6, 20e6}) {  // times 100 ms: 0.2, 0.5 and 2 MB
        WindowTuner each{256 * kKiB, 64 * kMiB};
        Path path{rate, milliseconds{100}, each};
        path.run(seconds{10});
        EXPECT_GE(static_cast<double>(each.window()), 1.6 * rate * 0.1) << rate;
        EXPECT_LE(static_cast<double>(each.window()), 3.0 * rate * 0.1) << rate;
    }
}

TEST_F(WindowTunerTest, StaysSmallOnLoopback) {
    for (const int us : {0, 100, 900}) {
        WindowTuner each{256 * kKiB, 64 * kMiB};
        Path path{5e9, microseconds{us}, each};
        path.run(seconds{2});
        EXPECT_LE(each.window(), kMiB) << us;
    }
}

TEST_F(WindowTunerTest, OnLoopbackIsAnEighthOfAMillisecondsQueueAndLittleMore) {
    Path path{1e9, microseconds{0}, tuner};
    path.run(seconds{1});
    EXPECT_GE(tuner.window(), 110 * kKiB);
    EXPECT_LE(tuner.window(), 150 * kKiB);
    path.rate(20e6);
    path.run(seconds{1});
    EXPECT_EQ(tuner.window(), 64 * kKiB);
    path.rate(1e9);
    path.run(seconds{1});
    EXPECT_GE(tuner.window(), 110 * kKiB);
}

TEST_F(WindowTunerTest, BesideALightStreamIsEnoughForTheRoundTrip) {
    Path path{400e6, microseconds{400}, tuner};
    path.run(seconds{1});
    EXPECT_GE(tuner.window(), 400'000 / 1000 * 400);
    EXPECT_LE(tuner.window(), 400'000 / 1000 * 600);
}

TEST_F(WindowTunerTest, AloneOnLoopbackItMayQueueMore) {
    tuner.set_beside_light(false);
    Path path{200e6, microseconds{200}, tuner};
    path.run(seconds{1});
    EXPECT_GE(tuner.window(), 2500 * kKiB);
    EXPECT_LE(tuner.window(), 3000 * kKiB);
    path.rate(5e9);
    path.run(seconds{1});
    EXPECT_EQ(tuner.window(), 4 * kMiB);
    tuner.set_beside_light(true);
    path.rate(200e6);
    path.run(milliseconds{100});
    EXPECT_LE(tuner.window(), 150 * kKiB);
}

TEST_F(WindowTunerTest, TellsALightStreamFromABulkOne) {
    EXPECT_TRUE(tuner.is_light());
    Clock::time_point now{};
    for (int i = 0; i < 100; ++i) {
        now += milliseconds{1};
        (void)tuner.on_consumed(100, now, microseconds{200});
        EXPECT_TRUE(tuner.is_light());
    }
    (void)tuner.on_consumed(kMiB, now, microseconds{200});
    EXPECT_FALSE(tuner.is_light()) << "at once";
    for (int i = 0; i < 1000; ++i) {
        now += milliseconds{2};
        (void)tuner.on_consumed(8 * kKiB, now, microseconds{200});
        EXPECT_FALSE(tuner.is_light());
    }
    now += seconds{1};
    (void)tuner.on_consumed(100, now, microseconds{200});
    EXPECT_TRUE(tuner.is_light()) << "nothing for a second";
}

TEST_F(WindowTunerTest, StaysModestOnALocalNetworkWhoseReaderIsHeldUpNowAndThen) {
    Path path{1e9, milliseconds{2}, tuner};
    path.reader(5e9, milliseconds{20});
    path.run(seconds{5});
    EXPECT_LE(tuner.window(), 4 * kMiB);
}

TEST_F(WindowTunerTest, ASlowReaderDoesNotGetMore) {
    Path path{125e6, milliseconds{100}, tuner};
    path.reader(500e3, milliseconds{10});
    path.run(seconds{20});
    EXPECT_EQ(tuner.window(), 256 * kKiB);
}

TEST_F(WindowTunerTest, NorOneThatTakesAWindowAtOnceAndSleeps) {
    Path path{125e6, milliseconds{50}, tuner};
    path.reader(1e12, seconds{2});
    path.run(seconds{60});
    EXPECT_EQ(tuner.window(), 256 * kKiB);
}

TEST_F(WindowTunerTest, NorOneThatStops) {
    Path path{125e6, milliseconds{50}, tuner};
    path.run(milliseconds{60});
    path.reader(0, milliseconds{0});
    const std::uint64_t window = tuner.window();
    path.run(seconds{10});
    EXPECT_EQ(tuner.window(), window);
}

TEST_F(WindowTunerTest, BecomesSmallerWithAPathThatBringsLess) {
    Path path{50e6, milliseconds{100}, tuner};
    path.run(seconds{5});
    EXPECT_GT(tuner.window(), 8 * kMiB);
    path.rate(2e6);
    path.run(seconds{30});
    EXPECT_LE(tuner.window(), kMiB);
    EXPECT_GE(tuner.window(), 256 * kKiB);
}

TEST_F(WindowTunerTest, GoesAtOnceWhereAnotherStreamIs) {
    tuner.expect(32 * kMiB);
    Path path{125e6, milliseconds{200}, tuner};
    path.run(milliseconds{110});
    EXPECT_EQ(tuner.window(), 32 * kMiB);
}

TEST_F(WindowTunerTest, DoesNotFollowOtherStreamsForALittle) {
    tuner.expect(32 * kMiB);
    for (int i = 0; i < 100; ++i) {
        const auto now = Clock::time_point{} + i * milliseconds{20};
        EXPECT_EQ(tuner.on_consumed(1000, now, milliseconds{200}), 256 * kKiB);
    }
}

TEST_F(WindowTunerTest, KeepsTheWindowWhileTheRoundTripIsNotKnown) {
    for (int i = 0; i < 100; ++i) {
        const auto now = Clock::time_point{} + i * milliseconds{20};
        EXPECT_EQ(tuner.on_consumed(kMiB, now, microseconds{-1}), 256 * kKiB);
    }
}

TEST_F(WindowTunerTest, OneThatMayNotGrowDoesNot) {
    WindowTuner fixed{1000, 1000};
    for (int i = 0; i < 100; ++i) {
        const auto now = Clock::time_point{} + i * milliseconds{20};
        EXPECT_EQ(fixed.on_consumed(1000, now, milliseconds{20}), 1000U);
    }
}

}  // namespace
}  // namespace hpb::session
