#pragma once

#include "config/agent_options.hpp"
#include "session/limits.hpp"

namespace hpb::agent {

/// A session's limits as configured (docs/configuration.md, "Sessions").
[[nodiscard]] inline session::Limits session_limits(const config::SessionOptions& options) {
    session::Limits limits;
    limits.grace = options.grace;
    limits.keep_alive = options.keep_alive;
    limits.stream_window = options.stream_window;
    // RelayChannelCount is 64 at most; while one is replaced there are two in its place.
    limits.max_channels = 128;
    return limits;
}

}  // namespace hpb::agent
