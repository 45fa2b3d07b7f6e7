#pragma once

#include <chrono>
#include <cstdint>

#include "session/limits.hpp"

namespace hpb::session {

/// Decides how large the window of a stream should be, from what its reader takes: about twice what
/// it takes in a round trip, so that neither the path nor its reader waits for credit, and no more
/// than that waits in front of other streams. Performs no I/O and reads no clock.
class WindowTuner {
public:
    /// @param start  the smallest, and what it begins with. @param most  at least `start`.
    WindowTuner(std::uint64_t start, std::uint64_t most)
        : start_(start), most_(most), window_(start) {}

    /// The reader has taken `bytes`. @param round_trip  the smallest seen on the path, without the
    /// queues that a larger window makes; negative: not known, then nothing changes.
    /// @return the window from now on.
    std::uint64_t on_consumed(std::uint64_t bytes, Clock::time_point now,
                              std::chrono::microseconds round_trip);
    /// Another stream's window has grown to `window` on this path: go there at once, when the first
    /// bytes in quantity come. Until then a stream that is not in a hurry takes no credit for it.
    void expect(std::uint64_t window) { expected_ = window; }
    /// Whether streams that carry little have been beside this one lately: on a short path its
    /// queue is what they wait for. Assumed until it is said.
    void set_beside_light(bool beside) { beside_light_ = beside; }
    /// True if the reader has taken little lately.
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
