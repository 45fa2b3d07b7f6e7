// What a seed makes of a run: limits, faults and length.
#include "simulation/world.hpp"

namespace hpb::session::simulation {

Plan plan_of(Random& random) {
    Plan plan;
    Limits& l = plan.limits;
    l.max_streams = static_cast<std::uint32_t>(1 + below(random, 8));
    l.max_channels = static_cast<std::uint32_t>(1 + below(random, 4));
    l.stream_window = 16 * size_up_to(random, 4096);
    l.max_stream_window = l.stream_window * (1 + below(random, 64));
    l.initial_credit = static_cast<std::uint32_t>(size_up_to(random, 4096));
    l.receive_budget = l.stream_window * (1 + below(random, 8));
    l.send_budget = 16 * size_up_to(random, 16384);
    if (chance(random, 0.4)) plan.shared = 4 * size_up_to(random, 16384);
    l.bulk_chunk = 1 + size_up_to(random, 8192);
    l.shared_chunk = size_up_to(random, l.bulk_chunk);
    l.spread_above = size_up_to(random, 8192);
    l.ack_bytes = size_up_to(random, 16384);
    if (chance(random, 0.1)) {  // near the end of the ids
        l.first_stream_index = 0x7fffffff - static_cast<std::uint32_t>(1 + below(random, 12));
    }
    plan.slab_size = std::size_t{16} << below(random, 9);
    plan.steps = static_cast<unsigned>(50 + below(random, 400));
    plan.fault = chance(random, 0.1) ? 0 : 0.3 / static_cast<double>(1 + below(random, 30));
    plan.stream_bytes = size_up_to(random, 1 << 16);
    plan.service_opens = chance(random, 0.3);
    plan.expires = chance(random, 0.05);
    plan.ends = chance(random, 0.03);
    return plan;
}

}  // namespace hpb::session::simulation
