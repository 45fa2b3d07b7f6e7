#pragma once

#include <cstdint>
#include <functional>

#include "net/coro.hpp"

namespace hpb::app {

/// What the demonstration measured through the whole path.
struct DemoFigures {
    std::uint64_t bytes = 0;   ///< sent, and received back and compared
    double seconds = 0;        ///< for all of them
    double connect_ms = 0;     ///< from connect to the first byte back, relay connection included
    double round_trip_ms = 0;  ///< median of single bytes there and back
};

using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Connects to 127.0.0.1:port, sends `bytes` of a pseudo-random sequence to the echo server behind
/// the bridge, and compares what comes back byte by byte.
[[nodiscard]] net::awaitable<Result<DemoFigures>> check_path(std::uint16_t port,
                                                             std::uint64_t bytes,
                                                             Progress progress);

}  // namespace hpb::app
