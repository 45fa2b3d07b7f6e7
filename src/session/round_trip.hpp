#pragma once

#include <chrono>

namespace hpb::session {

/// The round-trip time of a session's path: the smallest one measured, which is the one without
/// queueing. It outlives channels: the next channel usually begins while data flows, and would
/// measure the queue; a window sized for that would sustain the queue. Reads no clock.
///
/// A path may become longer, for example through another relay. While idle, a few longer samples in
/// a row are accepted as proof; while data flows, only samples that no queue of ours explains, and
/// more of them.
class RoundTrip {
public:
    using Time = std::chrono::microseconds;

    /// @param quiet  no data was in flight at the time.
    void on_sample(Time took, bool quiet);
    /// Negative before the first sample.
    [[nodiscard]] Time smallest() const { return smallest_; }

    /// Longer samples in a row that are accepted; while idle each counts twice.
    static constexpr unsigned kConvincing = 8;

private:
    void take(Time smallest);

    Time smallest_{-1};
    Time longer_{0};  // the smallest of the longer ones
    unsigned score_ = 0;
};

}  // namespace hpb::session
