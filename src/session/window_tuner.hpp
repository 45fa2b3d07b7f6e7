#pragma once

#include <chrono>
#include <cstdint>

#include "session/limits.hpp"

namespace hpb::session {

/// Sizes a stream's window from the rate of its reader: about twice what it consumes in a round
/// trip, so that neither the path nor the reader waits for credit, and no more than that is queued
/// ahead of other streams. Performs no I/O and reads no clock.
class WindowTuner {
public:
    /// @param start  the smallest and initial window. @param most  at least `start`.
    WindowTuner(std::uint64_t start, std::uint64_t most)
        : start_(start), most_(most), window_(start) {}

    /// The reader has consumed `bytes`. @param round_trip the smallest measured on the path,
    /// without the queues that a larger window causes; negative: unknown, then nothing changes.
    /// @return the window from now on.
    std::uint64_t on_consumed(std::uint64_t bytes, Clock::time_point now,
                              std::chrono::microseconds round_trip);
    /// Another stream's window has grown to `window` on this path: adopt it as soon as a first
    /// burst of bytes arrives. Until then a slow stream takes no credit for it.
    void expect(std::uint64_t window) { expected_ = window; }
    /// Whether light streams have recently shared the session: on a short path they wait behind
    /// this stream's queue. Assumed true until set.
    void set_beside_light(bool beside) { beside_light_ = beside; }
    /// True if the reader has consumed little recently.
    [[nodiscard]] bool is_light() const;
    [[nodiscard]] std::uint64_t window() const { return window_; }

private:
    [[nodiscard]] std::uint64_t on_short_path(std::chrono::microseconds elapsed,
                                              std::chrono::microseconds round_trip,
                                              Clock::time_point now);
    void remember(std::uint64_t bytes, Clock::time_point now);
    void measure(std::uint64_t per_round_trip);
    void begin(Clock::time_point now);

    std::uint64_t start_;
    std::uint64_t most_;
    std::uint64_t window_;
    std::uint64_t expected_ = 0;
    bool begun_ = false;
    bool first_ = true;  // measurement
    bool beside_light_ = true;
    bool slow_ = true;  // the last measurement took much longer than a round trip
    Clock::time_point begin_;
    std::uint64_t consumed_ = 0;  // since then
    Clock::time_point recent_since_;
    std::uint64_t recent_ = 0;  // consumed since then
    std::uint64_t before_ = 0;  // and in the span before
    std::uint64_t best_ = 0;    // of the measurements since the window has last changed
    unsigned measured_ = 0;     // and how many those are
};

}  // namespace hpb::session
