#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/traffic.hpp"
#include "hc/target_map.hpp"

namespace hpb::app {

/// `hpb bench`: what to measure, and how.
struct BenchOptions {
    enum class Load { serve, throughput, latency, rate, idle };

    Load load = Load::throughput;
    std::vector<hc::TargetAddress> addresses;
    bench::Direction direction = bench::Direction::up;
    std::size_t streams = 1;
    std::size_t bulk = 0;  ///< latency: streams beside it
    std::size_t in_flight = 64;
    std::optional<std::uint64_t> count;
    std::optional<double> seconds;  ///< default 3, or no limit where there is a count
    double warm_up = 1;
    bool json = false;
};

}  // namespace hpb::app
