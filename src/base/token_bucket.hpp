#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace hpb {

/// Limits a rate: `rate` events a second on average, `burst` of them at once. Time is an argument.
/// Belongs to one thread.
class TokenBucket {
public:
    using TimePoint = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    TokenBucket(double rate, double burst) : rate_(rate), burst_(burst), tokens_(burst) {}

    /// @return false if it is too early; then nothing was taken.
    [[nodiscard]] bool try_take(TimePoint now, double count = 1) {
        refill(now);
        if (tokens_ < count) return false;
        tokens_ -= count;
        return true;
    }

    /// Always takes, possibly into debt. @return how long the event must be delayed.
    [[nodiscard]] Duration take(TimePoint now, double count = 1) {
        refill(now);
        tokens_ -= count;
        if (tokens_ >= 0) return Duration::zero();
        return std::chrono::duration_cast<Duration>(
            std::chrono::duration<double>(-tokens_ / rate_));
    }

    /// As take(), unless the delay would be longer than `longest`: then nothing is taken.
    [[nodiscard]] std::optional<Duration> take_within(TimePoint now, Duration longest) {
        refill(now);
        const std::chrono::duration<double> delay((1 - tokens_) / rate_);
        if (delay > longest) return std::nullopt;
        tokens_ -= 1;
        return std::max(Duration::zero(), std::chrono::duration_cast<Duration>(delay));
    }

    /// The bucket is full again, as when new.
    [[nodiscard]] bool is_full(TimePoint now) {
        refill(now);
        return tokens_ >= burst_;
    }

private:
    void refill(TimePoint now) {
        if (now > last_) {
            const std::chrono::duration<double> passed = now - last_;
            tokens_ = std::min(burst_, tokens_ + passed.count() * rate_);
            last_ = now;
        }
    }

    double rate_;
    double burst_;
    double tokens_;
    TimePoint last_{};
};

/// A token bucket for each source (an address, an entity, a session), for at most `max_sources` of
/// them: beyond that the least recently used source is forgotten, so it has a full bucket when it
/// comes back. Belongs to one thread.
class SourceBuckets {
public:
    SourceBuckets(double rate, double burst, std::size_t max_sources)
        : rate_(rate), burst_(burst), max_sources_(std::max<std::size_t>(1, max_sources)) {}

    /// The bucket of `source`. Valid until the next call.
    [[nodiscard]] TokenBucket& of(std::string_view source) {
        const auto found = index_.find(std::string(source));
        if (found != index_.end()) {
            recent_.splice(recent_.begin(), recent_, found->second);
            return found->second->bucket;
        }
        if (index_.size() >= max_sources_) {
            index_.erase(recent_.back().source);
            recent_.pop_back();
        }
        recent_.push_front({std::string(source), TokenBucket(rate_, burst_)});
        index_.emplace(recent_.front().source, recent_.begin());
        return recent_.front().bucket;
    }

    [[nodiscard]] std::size_t size() const { return index_.size(); }

private:
    struct Entry {
        std::string source;
        TokenBucket bucket;
    };

    double rate_;
    double burst_;
    std::size_t max_sources_;
    std::list<Entry> recent_;  ///< the most recently used first
    std::unordered_map<std::string, std::list<Entry>::iterator> index_;
};

}  // namespace hpb
