#pragma once

#include <algorithm>
#include <cstdint>

#include "net/coro.hpp"

namespace hpb::agent::client {

/// Detects when a session's single channel is the bottleneck: above 1 Gbit/s the limit is rarely
/// the network, but the one relay thread that forwards the channel, and the window of its one TCP
/// connection. Reads no clock.
class BulkWatch {
public:
    using TimePoint = net::Clock::time_point;

    /// This many bytes, in this time or less, this many times in a row.
    static constexpr std::uint64_t kStep = 32ULL * 1024 * 1024;
    static constexpr std::chrono::milliseconds kStepTime{250};
    static constexpr unsigned kSteps = 2;
    /// For how long the session counts as busy after that.
    static constexpr std::chrono::seconds kKept{30};

    /// @param total  payload moved so far, both directions. @return whether on_step() is due.
    [[nodiscard]] bool is_step(std::uint64_t total) const { return total - seen_ >= kStep; }

    void on_step(std::uint64_t total, TimePoint now) {
        const auto time = kStepTime * static_cast<std::int64_t>((total - seen_) / kStep);
        steps_ = now - seen_at_ <= time ? std::min(steps_ + 1, kSteps) : 0;
        seen_ = total;
        seen_at_ = now;
        if (steps_ == kSteps) busy_until_ = now + kKept;
    }

    [[nodiscard]] TimePoint busy_until() const { return busy_until_; }

private:
    std::uint64_t seen_ = 0;
    TimePoint seen_at_{};
    unsigned steps_ = 0;
    TimePoint busy_until_{};
};

}  // namespace hpb::agent::client
