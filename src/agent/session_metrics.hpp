#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "ops/limits.hpp"
#include "ops/line_gate.hpp"
#include "session/session.hpp"

namespace hpb::agent {

/// Counters of all v2 sessions of an agent (docs/configuration.md, "Counters").
struct SessionCounts {
    std::uint64_t sessions = 0;       ///< now
    std::uint64_t streams = 0;        ///< now
    std::uint64_t channels = 0;       ///< now
    std::uint64_t losses = 0;         ///< of channels, ever
    std::uint64_t resumes = 0;        ///< ever
    std::uint64_t resent_bytes = 0;   ///< ever
    std::uint64_t stalled = 0;        ///< streams that have something to send and no credit, now
    std::uint64_t replay_memory = 0;  ///< bytes kept until the peer acknowledges them, now
};

/// Events counted across an agent's threads, and the totals of ended sessions. Not used on the data
/// path.
struct SessionMetrics {
    std::atomic<std::uint64_t> losses{0};
    std::atomic<std::uint64_t> resumes{0};
    std::atomic<std::uint64_t> past_resent_bytes{0};

    /// For lines that peers can provoke.
    static constexpr ops::LineGate::Rate kLines{0.5, 10};
    ops::LineGate lost_lines{kLines};
    ops::LineGate resumed_lines{kLines};
    ops::LineGate expired_lines{kLines};
    ops::LineGate ended_lines{kLines};
    ops::LineGate broken_lines{kLines};

    void add_past(const session::Session& session) {
        past_resent_bytes += session.stats().bytes_resent;
    }
    /// Without current sessions, which SessionDriver::add_to() adds.
    [[nodiscard]] SessionCounts past() const {
        SessionCounts counts;
        counts.losses = losses;
        counts.resumes = resumes;
        counts.resent_bytes = past_resent_bytes;
        return counts;
    }
};

/// The line logged on SIGUSR1 (docs/configuration.md, "Counters").
[[nodiscard]] inline std::string to_text(const SessionCounts& counts) {
    return fmt::format(
        "sessions: sessions={} streams={} channels={} losses={} resumes={} resent_bytes={} "
        "expired={} stalled={} replay_memory={} made_room={} strangers={}",
        counts.sessions, counts.streams, counts.channels, counts.losses, counts.resumes,
        counts.resent_bytes, ops::count(ops::Limit::expired), counts.stalled, counts.replay_memory,
        ops::count(ops::Limit::made_room), ops::count(ops::Limit::strangers));
}

}  // namespace hpb::agent
