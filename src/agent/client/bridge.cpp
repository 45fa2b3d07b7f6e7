#include "agent/client/bridge.hpp"

#include <algorithm>
#include <utility>

#include "net/descriptors.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::agent::client {
namespace {

namespace asio = net::asio;
constexpr const char* kComponent = "client";
/// Descriptors that are kept for each hybrid connection's way to the relay: a channel and the dial
/// of the next one.
constexpr std::size_t kReserve = 2;

}  // namespace

Bridge::Bridge(const asio::any_io_executor& executor, net::ExecutorPool& pool,
               std::shared_ptr<const ClientContext> context, std::string entity)
    : executor_(executor),
      pool_(&pool),
      context_(std::move(context)),
      entity_(std::move(entity)),
      peer_(context_->options.session.protocol == config::Protocol::v1 ? Peer::v1
                                                                       : Peer::in_sessions) {
    net::reserve_descriptors(kReserve);
}

std::size_t Bridge::add_mapping(const config::ClientMapping& mapping,
                                std::shared_ptr<MappingNotes> notes) {
    mappings_.push_back({.key = mapping.remote_configuration_key,
                         .channels = std::max(1, mapping.relay_channel_count),
                         .ttl = mapping.relay_connection_ttl,
                         .notes = std::move(notes),
                         .slots = {}});
    return mappings_.size() - 1;
}

void Bridge::take(std::size_t mapping, net::Stream application, const net::tcp::endpoint& peer,
                  Quota::Ticket ticket) {
    if (stopping_) return reset(std::move(application));
    waiting_.push_back(
        {mapping, std::move(application), peer, std::move(ticket), net::Clock::now()});
    hand_out();
}

void Bridge::stop() {
    stopping_ = true;
    for (const auto& mapping : mappings_) {
        for (const auto& slot : mapping.slots)
            asio::post(slot->executor(), [slot] { slot->stop(); });
    }
    for (auto& each : std::exchange(waiting_, {})) reset(std::move(each.application));
}

void Bridge::hand_out() {
    // Opening a stream makes its session tell what else it has to tell, and that leads here again.
    if (stopping_ || std::exchange(handing_out_, true)) return;
    if (peer_ == Peer::v1) {
        hand_out_to_slots();
    } else {
        while (!waiting_.empty() && hand_to_session(waiting_.front())) waiting_.pop_front();
    }
    handing_out_ = false;
    if (waiting_.empty() || peer_ == Peer::asking) return;
    const bool pending = std::any_of(sessions_.begin(), sessions_.end(),
                                     [](const auto& s) { return s->is_pending(); });
    if (pending) return;
    if (sessions_.size() >= kMaxSessions) {
        ops::reached(ops::Limit::full_sessions);
        refuse_waiting(Error(errc::limit_exceeded, "there are " + std::to_string(kMaxSessions) +
                                                       " sessions already, all of them full"),
                       {});
        return;
    }
    peer_ = Peer::asking;
    net::spawn(executor_, dial(shared_from_this()));
}

bool Bridge::hand_to_session(Waiting& waiting) {
    const Mapping& mapping = mappings_[waiting.mapping];
    // A copy: taking a stream may end a session.
    const auto sessions = sessions_;
    return std::any_of(sessions.begin(), sessions.end(), [&](const auto& session) {
        return session->is_usable() && session->take(waiting.application, waiting.peer,
                                                     waiting.ticket, mapping.key, mapping.notes);
    });
}

net::awaitable<void> Bridge::dial(std::shared_ptr<Bridge> self) {
    self->on_dialled(co_await self->context_->dialer->connect(
        self->entity_, {.subprotocols = self->context_->offered_protocols()}));
}

void Bridge::on_dialled(Result<RelayDialer::SenderChannel> channel) {
    peer_ = Peer::in_sessions;
    if (stopping_) return;
    if (!channel) return on_dial_failed(channel.error());
    if (channel->subprotocol == kProtocolV2) return begin_session(std::move(channel->websocket));
    // A service agent of ours, and any listener of Microsoft's libraries, chooses one.
    if (channel->subprotocol.empty() && !context_->offered_protocols().empty() &&
        !std::exchange(told_of_dropped_choice_, true)) {
        ops::log_warn(
            kComponent,
            "{}: the relay granted a channel without a subprotocol: it, or a proxy, "
            "drops Sec-WebSocket-Protocol (the service agent's log says whether from "
            "requests), or the listener is not a bridge; v1 is spoken, so connections will "
            "not survive the loss of their channel",
            entity_);
    }
    if (context_->options.session.protocol == config::Protocol::v2) {
        return refuse_waiting(
            Error(relay_errc::refused,
                  "the service agent speaks only v1, and this agent's Protocol is v2"),
            {});
    }
    begin_v1(std::move(channel->websocket));
}

// While a session lives, its service agent may be about to come back; and so may another.
void Bridge::on_dial_failed(const Error& why) {
    if (sessions_.empty() || is_permanent(why)) return refuse_waiting(why, {});
    refuse_waiting(why, kPatience);
    if (waiting_.empty()) return;
    peer_ = Peer::asking;
    net::spawn(executor_, dial_later(shared_from_this()));
}

net::awaitable<void> Bridge::dial_later(std::shared_ptr<Bridge> self) {
    co_await net::sleep_for(kRetry);
    self->peer_ = Peer::in_sessions;
    self->hand_out();
}

// ---- v2

// The mappings share it, so the most that any of them asks for is what it gets.
ClientSession::Route Bridge::route() const {
    ClientSession::Route route{.entity = entity_,
                               .channels = 1,
                               .channels_under_load = context_->options.channels_under_load,
                               .ttl = {}};
    for (const auto& mapping : mappings_) {
        route.channels = std::max(route.channels, static_cast<std::size_t>(mapping.channels));
        if (mapping.ttl.count() <= 0) continue;
        route.ttl = route.ttl.count() <= 0 ? mapping.ttl : std::min(route.ttl, mapping.ttl);
    }
    return route;
}

void Bridge::begin_session(net::WebSocket websocket) {
    auto session = std::make_shared<ClientSession>(executor_, context_, route(), weak_from_this());
    sessions_.push_back(session);
    if (!ClientSession::start(session, std::move(websocket))) sessions_.pop_back();
}

void Bridge::on_usable(ClientSession& session) {
    ops::log_debug(kComponent, "{}: session {} carries connections", entity_, session.short_id());
    for (const auto& mapping : mappings_) {
        if (mapping.notes->set_failing(false))
            ops::log_info(kComponent, "{}: connections go through again", mapping.notes->name());
    }
    hand_out();
}

void Bridge::on_room(ClientSession&) {
    if (!waiting_.empty()) hand_out();
}

void Bridge::on_attempt_failed(ClientSession&, const Error& why) {
    refuse_waiting(why, is_permanent(why) ? net::Clock::duration::zero() : kPatience);
}

void Bridge::on_stranded(ClientSession& session) {
    ops::log_info(kComponent,
                  "{}: the service agent of session {} is not at the relay, but another is: new "
                  "connections go there",
                  entity_, session.short_id());
    hand_out();
}

void Bridge::on_gone(ClientSession& session, const std::optional<Error>& why) {
    std::erase_if(sessions_, [&](const auto& each) { return each.get() == &session; });
    if (stopping_) return;
    if (why) {
        refuse_waiting(*why, {});
    } else {
        hand_out();
    }
}

// ---- v1

void Bridge::make_slots(std::size_t index) {
    Mapping& mapping = mappings_[index];
    if (!mapping.slots.empty()) return;
    auto count = static_cast<std::size_t>(mapping.channels);
    // Without shared channels a slot is only a thread to work on.
    if (mapping.ttl.count() <= 0) count = std::max(count, pool_->size());
    const auto on_v2 = [executor = executor_, weak = weak_from_this(), index](auto applications) {
        asio::post(executor, [weak, index, applications = std::move(applications)]() mutable {
            if (const auto self = weak.lock()) self->on_v2(index, std::move(applications));
        });
    };
    const std::size_t dials = std::max<std::size_t>(1, ChannelSlot::kMaxDials / count);
    for (std::size_t i = 0; i < count; ++i) {
        // The first in turn may have to take over a channel that was dialled on this thread.
        const asio::any_io_executor executor =
            i == 1 % count ? executor_ : pool_->next().get_executor();
        mapping.slots.push_back(std::make_shared<ChannelSlot>(
            executor, context_, ChannelSlot::Mapping{entity_, mapping.key, mapping.ttl, dials},
            mapping.notes, on_v2));
    }
}

void Bridge::begin_v1(net::WebSocket websocket) {
    peer_ = Peer::v1;
    ops::log_debug(kComponent, "{}: the service agent speaks v1", entity_);
    if (!waiting_.empty()) {
        Waiting first = std::move(waiting_.front());
        waiting_.pop_front();
        make_slots(first.mapping);
        Mapping& mapping = mappings_[first.mapping];
        mapping.turn = 1;
        mapping.slots[mapping.turn % mapping.slots.size()]->adopt(
            std::move(websocket), std::move(first.application), std::move(first.ticket));
    }
    hand_out();
}

void Bridge::hand_out_to_slots() {
    for (auto& each : std::exchange(waiting_, {})) {
        make_slots(each.mapping);
        Mapping& mapping = mappings_[each.mapping];
        // The original's order: the first connection goes to slot 1 modulo their number.
        pass(mapping.slots[++mapping.turn % mapping.slots.size()], std::move(each));
    }
}

void Bridge::pass(const std::shared_ptr<ChannelSlot>& slot, Waiting waiting) {
    asio::post(slot->executor(), [slot, application = waiting.application.detach(),
                                  ticket = std::move(waiting.ticket)]() mutable {
        slot->take(net::Stream::attach(slot->executor(), std::move(application)),
                   std::move(ticket));
    });
}

// The service agent has been replaced by one that speaks v2.
void Bridge::on_v2(std::size_t mapping, std::vector<ChannelSlot::Waiting> applications) {
    if (context_->options.session.protocol != config::Protocol::v1) peer_ = Peer::in_sessions;
    for (auto& each : applications) {
        auto application = net::Stream::attach(executor_, std::move(each.application));
        const auto peer = application.remote_endpoint();
        take(mapping, std::move(application), peer, std::move(each.ticket));
    }
}

void Bridge::refuse_waiting(const Error& why, net::Clock::duration patience) {
    const auto since = net::Clock::now() - patience;
    std::erase_if(waiting_, [&](Waiting& waiting) {
        if (waiting.since > since) return false;
        if (patience.count() > 0) ops::reached(ops::Limit::expired_waits);
        reset(std::move(waiting.application));
        MappingNotes& notes = *mappings_[waiting.mapping].notes;
        if (notes.set_failing(true)) {
            ops::log_warn(kComponent, "{}: connections are reset until there is a channel: {}",
                          notes.name(), why.message());
        } else {
            ops::log_debug(kComponent, "{}: {}", notes.name(), why.message());
        }
        return true;
    });
}

}  // namespace hpb::agent::client
