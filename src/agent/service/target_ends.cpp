#include "agent/service/target_ends.hpp"

#include <algorithm>

namespace hpb::agent::service {

std::shared_ptr<const void> TargetEnds::alive(TimePoint begun) {
    const std::scoped_lock lock(mutex_);
    const auto place = alive_.insert(begun);
    return {static_cast<const void*>(this),
            [self = shared_from_this(), place](const void* /*unused*/) { self->forget(place); }};
}

void TargetEnds::forget(std::multiset<TimePoint>::const_iterator place) {
    const auto now = std::chrono::steady_clock::now();
    const std::scoped_lock lock(mutex_);
    for (auto& doubt : doubts_) {
        if (*place < doubt.from && doubt.to + kOutlived < now) doubt.outlived = true;
    }
    alive_.erase(place);
}

void TargetEnds::note_end(TimePoint at, bool idle, TimePoint last_activity) {
    const std::scoped_lock lock(mutex_);
    if (!idle) return add_doubt(at);
    if (at - last_activity >= kInUse) return;
    // One alone proves nothing: servers do end connections after an answer.
    if (last_in_use_ != TimePoint() && at - last_in_use_ < kSameTime) {
        add_doubt(last_in_use_);
        add_doubt(at);
    }
    last_in_use_ = at;
}

void TargetEnds::add_doubt(TimePoint at) {
    // No longer than that: a busy target's ends would become one doubt that nothing outlives.
    if (!doubts_.empty() && at < doubts_.back().from + kSameTime) {
        auto& last = doubts_.back();
        last.from = std::min(last.from, at);
        last.to = std::max(last.to, at);
        return;
    }
    doubts_.push_back({.from = at, .to = at});
    if (doubts_.size() > kMaxDoubts) doubts_.pop_front();
}

bool TargetEnds::in_doubt(TimePoint at) const {
    const std::scoped_lock lock(mutex_);
    return std::any_of(doubts_.begin(), doubts_.end(),
                       [at](const Doubt& doubt) { return doubt.is_near(at); });
}

bool TargetEnds::went_down(TimePoint at) const {
    const std::scoped_lock lock(mutex_);
    const auto oldest = alive_.empty() ? TimePoint::max() : *alive_.begin();
    return std::any_of(doubts_.begin(), doubts_.end(), [&](const Doubt& doubt) {
        return doubt.is_near(at) && !doubt.outlived && oldest >= doubt.from;
    });
}

}  // namespace hpb::agent::service
