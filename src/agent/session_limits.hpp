#pragma once

#include "config/agent_options.hpp"
#include "session/limits.hpp"
#include "session/memory_budget.hpp"

namespace hpb::agent {

/// How long a service agent keeps a session without a channel that has never had a stream.
inline constexpr std::chrono::seconds kUnusedGrace{30};

/// A session's limits as configured (docs/configuration.md, "Sessions").
/// @param budget  of the agent, shared by all its sessions, which it outlives.
[[nodiscard]] inline session::Limits session_limits(const config::SessionOptions& options,
                                                    session::MemoryBudget& budget) {
    session::Limits limits;
    limits.grace = options.grace;
    limits.unused_grace = kUnusedGrace;
    limits.keep_alive = options.keep_alive;
    limits.stream_window = options.stream_window;
    limits.max_stream_window = options.max_stream_window;
    limits.shared = &budget;
    // RelayChannelCount is 64 at most; while one is being replaced there are two.
    limits.max_channels = 128;
    return limits;
}

}  // namespace hpb::agent
