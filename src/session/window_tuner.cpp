#include "session/window_tuner.hpp"

#include <algorithm>

namespace hpb::session {
namespace {

using std::chrono::microseconds;

// Below this, the clock and thread scheduling are measured, not the path. Only queued data fills
// the window there, ahead of every other stream: the window is what the reader consumes in
// kShortQueue, measured over kShortSpan at a time. If no other stream is delayed by it, a longer
// queue keeps the processes along the path from waiting for each other.
constexpr microseconds kShortest{2000};
constexpr microseconds kShortQueue{130};
constexpr microseconds kAloneQueue{14'000};
constexpr microseconds kShortSpan{5000};
constexpr std::uint64_t kMostOnShort = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostAlone = std::uint64_t{4} << 20;
// A stream whose reader consumes less than this in one to two kLightSpans is light.
constexpr std::uint64_t kLight = std::uint64_t{1} << 20;
constexpr std::chrono::milliseconds kLightSpan{500};
constexpr std::uint64_t kLeastOnShort = 4;  // of the smallest window elsewhere: a part
// Measurements without growth until the window follows them downwards.
constexpr unsigned kSettled = 16;
// A reader that consumes nothing for this many round trips does not keep up.
constexpr int kPause = 2;

// A new stream whose reader consumes this much in its first round trip adopts the known window.
std::uint64_t enough(std::uint64_t window) {
    return std::min<std::uint64_t>(32 * 1024, window / 2);
}

// The window may be what limits the sender: only a larger one shows what the path can carry. The
// threshold is below the full window, since a cycle takes a little longer than the round trip.
bool fills(std::uint64_t per_round_trip, std::uint64_t window) {
    return per_round_trip >= window / 8 * 5;
}

}  // namespace

std::uint64_t WindowTuner::on_consumed(std::uint64_t bytes, Clock::time_point now,
                                       microseconds round_trip) {
    remember(bytes, now);
    if (bytes == 0 || round_trip < microseconds{0} || start_ >= most_) return window_;
    if (!begun_) begin(now);
    const auto elapsed = std::chrono::duration_cast<microseconds>(now - begin_);
    consumed_ += bytes;
    if (round_trip < kShortest) return on_short_path(elapsed, round_trip, now);
    if (elapsed < round_trip) {
        // This much in less than a round trip: no need to wait for the rest of it. Not after a
        // pause: a reader that stops now and then, and finds a full window each time, is slow.
        const bool hurry = first_ && expected_ > window_ && consumed_ >= enough(window_);
        if (!hurry && (slow_ || !fills(consumed_, window_))) return window_;
        measure(consumed_);
        if (hurry) window_ = std::max(window_, std::min(expected_, most_));
    } else {
        const double part =
            static_cast<double>(round_trip.count()) / static_cast<double>(elapsed.count());
        measure(static_cast<std::uint64_t>(static_cast<double>(consumed_) * part));
        slow_ = elapsed > kPause * round_trip;
    }
    first_ = false;
    begin(now);
    return window_;
}

std::uint64_t WindowTuner::on_short_path(microseconds elapsed, microseconds round_trip,
                                         Clock::time_point now) {
    if (elapsed < kShortSpan) return window_;
    // At least a quarter more than the round trip, or the sender would starve.
    const microseconds least = round_trip * 5 / 4;
    const microseconds queue = std::max(beside_light_ ? kShortQueue : kAloneQueue, least);
    const std::uint64_t most = beside_light_ ? kMostOnShort : kMostAlone;
    const auto taken_in = [&](microseconds time) {
        const double part =
            static_cast<double>(time.count()) / static_cast<double>(elapsed.count());
        return static_cast<std::uint64_t>(static_cast<double>(consumed_) * part);
    };
    window_ = std::clamp(taken_in(queue), start_ / kLeastOnShort, std::clamp(most, start_, most_));
    first_ = false;
    begin(now);
    return window_;
}

bool WindowTuner::is_light() const {
    return recent_ + before_ < kLight;
}

void WindowTuner::remember(std::uint64_t bytes, Clock::time_point now) {
    if (now - recent_since_ >= kLightSpan) {
        before_ = now - recent_since_ < 2 * kLightSpan ? recent_ : 0;
        recent_ = 0;
        recent_since_ = now;
    }
    recent_ += bytes;
}

void WindowTuner::begin(Clock::time_point now) {
    begun_ = true;
    begin_ = now;
    consumed_ = 0;
}

void WindowTuner::measure(std::uint64_t per_round_trip) {
    best_ = std::max(best_, per_round_trip);
    ++measured_;
    std::uint64_t next = window_;
    if (fills(per_round_trip, window_)) {
        next = window_ < most_ / 4 ? 4 * window_ : most_;
    } else if (per_round_trip > window_ / 2) {
        next = 2 * per_round_trip;
    } else if (measured_ >= kSettled) {
        next = 2 * best_;
    }
    next = std::clamp(next, start_, most_);
    if (next == window_ && measured_ < kSettled) return;
    window_ = next;
    best_ = 0;
    measured_ = 0;
}

}  // namespace hpb::session
