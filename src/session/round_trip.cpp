#include "session/round_trip.hpp"

#include <algorithm>

namespace hpb::session {
namespace {

using Time = RoundTrip::Time;

// A sample above this cannot be explained by queueing, so the path is longer. A stream's window is
// twice what its reader consumes in a round trip, or in 14 ms on a short path (WindowTuner); the
// rest allows for threads that wait for a processor.
Time explained(Time smallest, bool quiet) {
    return quiet ? 2 * smallest + Time{2000} : 3 * smallest + Time{20'000};
}

}  // namespace

void RoundTrip::on_sample(Time took, bool quiet) {
    if (smallest_ < Time{0} || took < smallest_) return take(took);
    if (took <= explained(smallest_, quiet)) {
        score_ = 0;
        return;
    }
    longer_ = score_ == 0 ? took : std::min(longer_, took);
    score_ += quiet ? 2 : 1;
    if (score_ >= kConvincing) take(longer_);
}

void RoundTrip::take(Time smallest) {
    smallest_ = smallest;
    score_ = 0;
}

}  // namespace hpb::session
