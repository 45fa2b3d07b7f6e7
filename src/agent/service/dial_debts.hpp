#pragma once

#include <mutex>
#include <string>

#include "base/token_bucket.hpp"

namespace hpb::agent::service {

/// Rate limit per sender on streams that ended without having carried a byte: each was a useless
/// connection to a target. A sender beyond the limit waits before its next target is dialled, on
/// any session or hybrid connection; others do not. Thread-safe.
class DialDebts {
public:
    using TimePoint = TokenBucket::TimePoint;
    using Duration = TokenBucket::Duration;

    /// Free for each source: this many a second, and at once.
    static constexpr double kPerSecond = 100;
    static constexpr double kAtOnce = 1000;
    static constexpr std::size_t kMaxSources = 1024;
    static constexpr std::chrono::seconds kLongestWait{5};

    void add(const std::string& source, std::uint64_t count, TimePoint now) {
        const std::lock_guard lock(mutex_);
        (void)sources_.of(source).take(now, static_cast<double>(count));
    }
    /// @return how long a dial for `source` must wait; usually zero.
    [[nodiscard]] Duration wait(const std::string& source, TimePoint now) {
        const std::lock_guard lock(mutex_);
        return std::min<Duration>(sources_.of(source).take(now, 0), kLongestWait);
    }

private:
    std::mutex mutex_;
    SourceBuckets sources_{kPerSecond, kAtOnce, kMaxSources};
};

}  // namespace hpb::agent::service
