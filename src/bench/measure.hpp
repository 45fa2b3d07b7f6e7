#pragma once

#include <functional>
#include <optional>

#include "bench/poller.hpp"
#include "bench/samples.hpp"
#include "bench/traffic.hpp"

namespace hpb::bench {

/// What the measurements have in common.
struct Plan {
    std::vector<Address> to;  ///< connections take them in turn
    std::chrono::duration<double> seconds{3};
    std::chrono::duration<double> warm_up{1};  ///< moved before and not counted
};

struct Throughput {
    double seconds = 0;
    std::uint64_t bytes = 0;  ///< both directions
};
/// What `streams` connections carry, as seen at this end.
[[nodiscard]] Throughput measure_throughput(const Plan& plan, std::size_t streams,
                                            Direction direction);

struct Latency {
    Samples round_trips;
    double bulk_bytes_per_second = 0;
};
/// One byte there and back, again and again on one connection, beside `bulk` streams.
[[nodiscard]] Latency measure_latency(const Plan& plan, std::size_t bulk, Direction direction);

struct Rate {
    double seconds = 0;
    std::uint64_t connections = 0;
    std::uint64_t failed = 0;
    Samples times;  ///< of each connection, from connect to the byte's return
};
/// Connections opened, proven with a byte there and back, and closed, `in_flight` at a time.
/// @param count  ends after so many, if that is before plan.seconds are over.
[[nodiscard]] Rate measure_rate(const Plan& plan, std::size_t in_flight,
                                std::optional<std::uint64_t> count);

/// Opens `count` connections, each proven with a byte there and back, and keeps them.
/// @param opened  told how many there are and how many failed; holds them until it returns.
/// @return how many still lived then.
[[nodiscard]] std::size_t hold_idle(const Plan& plan, std::size_t count,
                                    const std::function<void(std::size_t, std::size_t)>& opened);

}  // namespace hpb::bench
