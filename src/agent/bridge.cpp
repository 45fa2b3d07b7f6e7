#include "agent/bridge.hpp"

#include <algorithm>
#include <utility>

#include "ops/log.hpp"

namespace hpb::agent {
namespace {

namespace asio = net::asio;
constexpr const char* kComponent = "client";

}  // namespace

Bridge::Bridge(const asio::any_io_executor& executor, net::ExecutorPool& pool,
               std::shared_ptr<const ClientContext> context, config::ClientMapping mapping,
               std::shared_ptr<MappingNotes> notes)
    : executor_(executor),
      pool_(&pool),
      context_(std::move(context)),
      mapping_(std::move(mapping)),
      notes_(std::move(notes)),
      speaks_v1_(context_->options.session.protocol == config::Protocol::v1) {}

void Bridge::take(net::Stream application, Quota::Ticket ticket) {
    if (stopping_) return reset(std::move(application));
    waiting_.push_back({std::move(application), std::move(ticket), net::Clock::now()});
    hand_out();
}

void Bridge::stop() {
    stopping_ = true;
    for (const auto& slot : slots_) asio::post(slot->executor(), [slot] { slot->stop(); });
    for (auto& each : std::exchange(waiting_, {})) reset(std::move(each.application));
}

void Bridge::hand_out() {
    // Opening a stream makes its session tell what else it has to tell, and that leads here again.
    if (stopping_ || std::exchange(handing_out_, true)) return;
    if (speaks_v1_) {
        hand_out_to_slots();
    } else {
        while (!waiting_.empty() && hand_to_session(waiting_.front())) waiting_.pop_front();
    }
    handing_out_ = false;
    if (waiting_.empty() || dialling_) return;
    const bool pending = std::any_of(sessions_.begin(), sessions_.end(),
                                     [](const auto& s) { return s->is_pending(); });
    if (pending) return;
    if (sessions_.size() >= kMaxSessions) {
        refuse_waiting(Error(errc::limit_exceeded, "there are " + std::to_string(kMaxSessions) +
                                                       " sessions already, all of them full"),
                       {});
        return;
    }
    dialling_ = true;
    net::spawn(executor_, dial(shared_from_this()));
}

bool Bridge::hand_to_session(Waiting& waiting) {
    // A copy: taking a stream may end a session.
    const auto sessions = sessions_;
    return std::any_of(sessions.begin(), sessions.end(), [&](const auto& session) {
        return session->is_usable() && session->take(waiting.application, waiting.ticket);
    });
}

net::awaitable<void> Bridge::dial(std::shared_ptr<Bridge> self) {
    self->on_dialled(co_await self->context_->dialer->connect(
        self->mapping_.entity, {.subprotocols = self->context_->offered_protocols()}));
}

void Bridge::on_dialled(Result<RelayDialer::SenderChannel> channel) {
    dialling_ = false;
    if (stopping_) return;
    if (!channel) return refuse_waiting(channel.error(), {});
    if (channel->subprotocol == kProtocolV2) return begin_session(std::move(channel->websocket));
    if (context_->options.session.protocol == config::Protocol::v2) {
        return refuse_waiting(
            Error(relay_errc::refused,
                  "the service agent speaks only v1, and this agent's Protocol is v2"),
            {});
    }
    begin_v1(std::move(channel->websocket));
}

// ---- v2

void Bridge::begin_session(net::WebSocket websocket) {
    ClientSession::Mapping mapping;
    mapping.entity = mapping_.entity;
    mapping.key = mapping_.remote_configuration_key;
    mapping.channels = static_cast<std::size_t>(std::max(1, mapping_.relay_channel_count));
    mapping.ttl = mapping_.relay_connection_ttl;
    auto session = std::make_shared<ClientSession>(executor_, context_, std::move(mapping), notes_,
                                                   weak_from_this());
    sessions_.push_back(session);
    if (!ClientSession::start(session, std::move(websocket))) sessions_.pop_back();
}

void Bridge::on_usable(ClientSession& session) {
    if (notes_->set_failing(false)) {
        ops::log_info(kComponent, "{}: connections go through again", notes_->name());
    } else {
        ops::log_debug(kComponent, "{}: session {} carries connections", notes_->name(),
                       session.short_id());
    }
    hand_out();
}

void Bridge::on_room(ClientSession&) {
    if (!waiting_.empty()) hand_out();
}

void Bridge::on_attempt_failed(ClientSession&, const Error& why) {
    const bool unreachable = why.code() == make_error_code(relay_errc::unreachable);
    refuse_waiting(why, unreachable ? kPatience : net::Clock::duration::zero());
}

void Bridge::on_stranded(ClientSession& session) {
    ops::log_info(kComponent,
                  "{}: the service agent of session {} is not at the relay, but another is: new "
                  "connections go there",
                  notes_->name(), session.short_id());
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

void Bridge::make_slots() {
    if (!slots_.empty()) return;
    auto count = static_cast<std::size_t>(std::max(1, mapping_.relay_channel_count));
    const bool channel_each = mapping_.relay_connection_ttl.count() <= 0;
    // Without shared channels a slot is only a thread to work on.
    if (channel_each) count = std::max(count, pool_->size());
    const auto on_v2 = [executor = executor_, weak = weak_from_this()](auto applications) {
        asio::post(executor, [weak, applications = std::move(applications)]() mutable {
            if (const auto self = weak.lock()) self->on_v2(std::move(applications));
        });
    };
    for (std::size_t i = 0; i < count; ++i) {
        // The first in turn may have to take over a channel that was dialled on this thread.
        const asio::any_io_executor executor =
            i == 1 % count ? executor_ : pool_->next().get_executor();
        ChannelSlot::Mapping mapping{mapping_.entity, mapping_.remote_configuration_key,
                                     mapping_.relay_connection_ttl};
        slots_.push_back(
            std::make_shared<ChannelSlot>(executor, context_, std::move(mapping), notes_, on_v2));
    }
}

void Bridge::begin_v1(net::WebSocket websocket) {
    speaks_v1_ = true;
    make_slots();
    ops::log_debug(kComponent, "{}: the service agent speaks v1", notes_->name());
    if (!waiting_.empty()) {
        Waiting first = std::move(waiting_.front());
        waiting_.pop_front();
        const auto& slot = slots_[1 % slots_.size()];
        turn_ = 1;
        slot->adopt(std::move(websocket), std::move(first.application), std::move(first.ticket));
    }
    hand_out();
}

void Bridge::hand_out_to_slots() {
    make_slots();
    for (auto& each : std::exchange(waiting_, {})) pass(next_slot(), std::move(each));
}

// The original's order: the first connection goes to slot 1 modulo their number.
const std::shared_ptr<ChannelSlot>& Bridge::next_slot() {
    return slots_[++turn_ % slots_.size()];
}

void Bridge::pass(const std::shared_ptr<ChannelSlot>& slot, Waiting waiting) {
    asio::post(slot->executor(), [slot, application = waiting.application.detach(),
                                  ticket = std::move(waiting.ticket)]() mutable {
        slot->take(net::Stream::attach(slot->executor(), std::move(application)),
                   std::move(ticket));
    });
}

// The service agent has been replaced by one that speaks v2.
void Bridge::on_v2(std::vector<ChannelSlot::Waiting> applications) {
    if (context_->options.session.protocol != config::Protocol::v1) speaks_v1_ = false;
    for (auto& each : applications)
        take(net::Stream::attach(executor_, std::move(each.application)), std::move(each.ticket));
}

void Bridge::refuse_waiting(const Error& why, net::Clock::duration patience) {
    const auto since = net::Clock::now() - patience;
    const std::size_t before = waiting_.size();
    std::erase_if(waiting_, [&](Waiting& waiting) {
        if (waiting.since > since) return false;
        reset(std::move(waiting.application));
        return true;
    });
    if (waiting_.size() == before) return;
    if (notes_->set_failing(true)) {
        ops::log_warn(kComponent, "{}: connections are reset until there is a channel: {}",
                      notes_->name(), why.message());
    } else {
        ops::log_debug(kComponent, "{}: {}", notes_->name(), why.message());
    }
}

}  // namespace hpb::agent
