#pragma once

#include <chrono>

namespace hpb::session {

/// How long the path of a session is: the smallest round trip seen, which is the one that stood in
/// no queue. It outlives channels: the next one is as a rule begun while data flows, and would
/// measure the queue; a window made for that would keep the queue up. Reads no clock.
///
/// A path may become longer, though, by another relay. In silence a few longer samples in a row say
/// so; while data flows only such as no queue of ours explains, and more of them.
class RoundTrip {
public:
    using Time = std::chrono::microseconds;

    /// @param quiet  no data was under way with it.
    void on_sample(Time took, bool quiet);
    /// Negative before the first sample.
    [[nodiscard]] Time smallest() const { return smallest_; }

    /// Longer samples in a row that are believed; in silence each counts twice.
    static constexpr unsigned kConvincing = 8;

private:
    void take(Time smallest);

    Time smallest_{-1};
    Time longer_{0};  // the smallest of the longer ones
    unsigned score_ = 0;
};

}  // namespace hpb::session
