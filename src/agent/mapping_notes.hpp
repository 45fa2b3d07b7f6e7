#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "ops/line_gate.hpp"
#include "ops/log.hpp"

namespace hpb::agent {

/// What was logged about one mapping, so that each line appears once, or at a limited rate. Shared
/// by the channels of a mapping, which live on several threads.
class MappingNotes {
public:
    explicit MappingNotes(std::string name) : name_(std::move(name)) {}

    /// What v1 cannot carry (docs/protocol.md, "Limits of v1"): each is worth one line per mapping.
    enum class Limit { half_close, server_speaks_first, refusal, late_data, v1_chosen, no_answer };

    /// @return true the first time.
    [[nodiscard]] bool first_time(Limit limit) {
        const auto bit = 1u << static_cast<unsigned>(limit);
        return (said_.fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
    }
    [[nodiscard]] bool said(Limit limit) const {
        return (said_.load(std::memory_order_relaxed) & (1u << static_cast<unsigned>(limit))) != 0;
    }

    /// @return true if this changes the state: a line per change, not per attempt.
    [[nodiscard]] bool set_failing(bool failing) {
        return failing_.exchange(failing, std::memory_order_relaxed) != failing;
    }

    /// The other side closed a channel as soon as it began; or a channel carried a valid frame.
    /// @return true if it was the second in a row, which is worth a line.
    [[nodiscard]] bool closed_at_once() {
        return closed_at_once_.fetch_add(1, std::memory_order_relaxed) == 1;
    }
    void carried_frames() { closed_at_once_.store(0, std::memory_order_relaxed); }

    /// For lines that a peer can provoke repeatedly.
    [[nodiscard]] bool admit_line(std::uint64_t& suppressed) {
        const std::lock_guard lock(mutex_);
        return limiter_.admit(std::chrono::steady_clock::now(), suppressed);
    }

    /// The mapping's name in log lines.
    [[nodiscard]] const std::string& name() const { return name_; }

private:
    std::string name_;
    std::atomic<unsigned> said_{0};
    std::atomic<bool> failing_{false};
    std::atomic<unsigned> closed_at_once_{0};
    std::mutex mutex_;
    ops::LogLimiter limiter_{std::chrono::seconds(1)};
};

}  // namespace hpb::agent
