// What has to hold of both ends: at every step, and once everything is over.
#include "simulation/world.hpp"

namespace hpb::session::simulation {

void World::check() {
    const Session* service = session(1);
    for (int side = 0; side < 2; ++side) {
        const Session* s = session(side);
        if (s == nullptr) continue;
        const Limits l = plan_.limits.normalised();
        require(s->stream_count() <= std::size_t{2} * l.max_streams, "too many streams");
        require(s->channel_count() <= l.max_channels, "too many channels");
        require(s->send_budget_used() <= l.send_budget, "the send budget is overrun");
        require(s->receive_budget_used() <= l.receive_budget, "the receive budget is overrun");
        const SlabPool& pool = side == 0 ? client_pool_ : service_pool_;
        // What the budgets allow, in whole slabs: two partly used ones for each half of a stream,
        // and what is on its way out of every channel.
        const std::uint64_t slabs = (l.send_budget + l.receive_budget) / plan_.slab_size +
                                    std::uint64_t{8} * l.max_streams +
                                    s->channel_count() * Outbox::kPieces;
        require(pool.in_use() <= slabs, "more memory is in use than the limits allow");
    }
    if (service != nullptr) {
        apps_.check_credit(*client_, *service, plan_.limits.normalised());
    }
    check_shared();
}

void World::check_shared() {
    if (plan_.shared == 0) return;
    std::uint64_t used = 0;
    for (int side = 0; side < 2; ++side) {
        const Session* s = session(side);
        if (s != nullptr) used += s->send_budget_used() + s->receive_budget_used();
    }
    require(used <= plan_.shared, "the shared budget is overrun");
    require(used == shared_.used(), "the shared budget does not add up");
}

void World::check_empty() {
    apps_.check_all_ended();
    check_shared();
    for (int side = 0; side < 2; ++side) {
        const Session* s = session(side);
        if (s == nullptr) continue;
        require(s->stream_count() == 0, "a table of streams is not empty");
        require(s->send_budget_used() == 0 && s->receive_budget_used() == 0,
                "a budget is not free");
    }
    require(client_pool_.in_use() == 0 && service_pool_.in_use() == 0,
            "memory is in use when nothing is");
    // With nothing open, each end may open something.
    if (client_->is_ended() || !client_->has_open_channel()) return;
    for (int side = 0; side < 2; ++side) {
        if (session(side) == nullptr) continue;
        const auto opened = session(side)->open({});
        require(opened || opened.error().code() == make_error_code(errc::ids_exhausted),
                "no stream can be opened any more");
    }
}

}  // namespace hpb::session::simulation
