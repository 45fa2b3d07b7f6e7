#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <set>

namespace hpb::agent::service {

/// How connections to one target have recently ended, on all v1 channels: distinguishes a target
/// that is going down from one that closes idle connections. When a target stops, all its
/// connections end,
/// some while in use or right after their last answer. Thread-safe; nothing on the
/// data path touches it. Owned by shared_ptr.
class TargetEnds : public std::enable_shared_from_this<TargetEnds> {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    /// A connection that ends this soon after its last byte was in use.
    static constexpr std::chrono::milliseconds kInUse{50};
    /// Ends this close to each other may have the same cause.
    static constexpr std::chrono::milliseconds kSameTime{200};
    /// A connection that outlives them by this much shows that the target is up.
    static constexpr std::chrono::milliseconds kOutlived{100};
    /// Times at which the target may have gone down, per target.
    static constexpr std::size_t kMaxDoubts = 64;

    /// A connection began at that time. It counts as alive while the token is kept.
    [[nodiscard]] std::shared_ptr<const void> alive(TimePoint begun);

    /// The target has ended a connection.
    /// @param idle           cleanly, after it had received and answered everything.
    /// @param last_activity  when the connection last carried a byte.
    void note_end(TimePoint at, bool idle, TimePoint last_activity);

    /// Around `at`, connections have ended as they do when a target goes down.
    [[nodiscard]] bool in_doubt(TimePoint at) const;
    /// The same, and no older connection has outlived those.
    [[nodiscard]] bool went_down(TimePoint at) const;

private:
    struct Doubt {
        TimePoint from, to;
        bool outlived = false;

        [[nodiscard]] bool is_near(TimePoint at) const {
            return from < at + kSameTime && at < to + kSameTime;
        }
    };
    void add_doubt(TimePoint at);
    void forget(std::multiset<TimePoint>::const_iterator place);

    mutable std::mutex mutex_;
    std::multiset<TimePoint> alive_;
    TimePoint last_in_use_;  // when a connection last ended that was in use
    std::deque<Doubt> doubts_;
};

}  // namespace hpb::agent::service
