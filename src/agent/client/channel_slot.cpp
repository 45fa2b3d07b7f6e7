#include "agent/client/channel_slot.hpp"

#include <utility>

#include "ops/limits.hpp"
#include "ops/log.hpp"
#include "v1/frame.hpp"

namespace hpb::agent::client {
namespace {

constexpr const char* kComponent = "client";

}  // namespace

void reset(net::Stream application) {
    application.reset_on_close();
}

ChannelSlot::ChannelSlot(const net::asio::any_io_executor& executor,
                         std::shared_ptr<const ClientContext> context, Mapping mapping,
                         std::shared_ptr<MappingNotes> notes, OnV2 on_v2)
    : executor_(executor),
      context_(std::move(context)),
      mapping_(std::move(mapping)),
      notes_(std::move(notes)),
      on_v2_(std::move(on_v2)) {}

void ChannelSlot::take(net::Stream application, Quota::Ticket ticket) {
    if (stopping_) return reset(std::move(application));
    Application waiting{std::move(application), std::move(ticket)};
    if (mapping_.ttl.count() <= 0) {
        own_waiting_.push_back(std::move(waiting));
        if (own_dials_ >= mapping_.max_dials) ops::reached(ops::Limit::delayed_channels);
        return dial_next();
    }
    drop_ended_channel(net::Clock::now());
    if (channel_) {
        add(*channel_, std::move(waiting));
        return;
    }
    waiting_.push_back(std::move(waiting));
    if (!std::exchange(dialing_, true)) net::spawn(executor_, dial_shared(shared_from_this()));
}

void ChannelSlot::adopt(net::WebSocket websocket, net::Stream application, Quota::Ticket ticket) {
    if (stopping_) return reset(std::move(application));
    Application waiting{std::move(application), std::move(ticket)};
    if (mapping_.ttl.count() <= 0) {
        net::spawn(executor_,
                   adopt_own(shared_from_this(), std::move(websocket), std::move(waiting)));
        return;
    }
    waiting_.push_back(std::move(waiting));
    drop_ended_channel(net::Clock::now());
    if (std::exchange(dialing_, true)) return;  // the one that is on its way will do
    net::spawn(executor_, adopt_shared(shared_from_this(), std::move(websocket)));
}

void ChannelSlot::drop_ended_channel(net::Clock::time_point now) {
    if (!channel_) return;
    if (channel_->open()) {
        const bool crowded = channel_->untold_ends() >= kMaxUntoldEnds;
        if (now < expires_ && !crowded) return;
        if (crowded) ops::reached(ops::Limit::crowded_channels);
        ops::log_debug(kComponent, "{}: channel replaced, {}", notes_->name(),
                       crowded ? "too many of its connections have ended" : "its TTL has expired");
        channel_->retire();
    }
    channel_.reset();
}

net::awaitable<void> ChannelSlot::dial_shared(std::shared_ptr<ChannelSlot> self) {
    self->use_shared(co_await self->open());
}

net::awaitable<void> ChannelSlot::adopt_shared(std::shared_ptr<ChannelSlot> self,
                                               net::WebSocket websocket) {
    const auto sent = co_await self->send_preamble(websocket);
    self->use_shared(sent ? Result<net::WebSocket>(std::move(websocket)) : sent.error());
}

net::awaitable<void> ChannelSlot::dial_own(std::shared_ptr<ChannelSlot> self,
                                           Application application) {
    self->use_own(co_await self->open(), std::move(application));
    --self->own_dials_;
    self->dial_next();
}

void ChannelSlot::dial_next() {
    while (!own_waiting_.empty() && own_dials_ < mapping_.max_dials) {
        ++own_dials_;
        Application next = std::move(own_waiting_.front());
        own_waiting_.pop_front();
        net::spawn(executor_, dial_own(shared_from_this(), std::move(next)));
    }
}

net::awaitable<void> ChannelSlot::adopt_own(std::shared_ptr<ChannelSlot> self,
                                            net::WebSocket websocket, Application application) {
    const auto sent = co_await self->send_preamble(websocket);
    self->use_own(sent ? Result<net::WebSocket>(std::move(websocket)) : sent.error(),
                  std::move(application));
}

void ChannelSlot::use_shared(Result<net::WebSocket> websocket) {
    dialing_ = false;
    auto waiting = std::exchange(waiting_, {});
    if (!websocket && websocket.error().code() == make_error_code(errc::not_permitted))
        return give_back(std::move(waiting));
    const auto channel = websocket && !stopping_ ? begin(std::move(*websocket)) : nullptr;
    if (channel) {
        channel_ = channel;
        expires_ = net::Clock::now() + mapping_.ttl;
    }
    for (auto& each : waiting) {
        if (channel) {
            add(*channel, std::move(each));
        } else {
            reset(std::move(each.socket));
        }
    }
}

void ChannelSlot::use_own(Result<net::WebSocket> websocket, Application application) {
    if (!websocket && websocket.error().code() == make_error_code(errc::not_permitted)) {
        std::vector<Application> applications;
        applications.push_back(std::move(application));
        return give_back(std::move(applications));
    }
    const auto channel = websocket && !stopping_ ? begin(std::move(*websocket)) : nullptr;
    if (!channel) return reset(std::move(application.socket));
    add(*channel, std::move(application));
    channel->retire();
}

void ChannelSlot::give_back(std::vector<Application> applications) {
    std::vector<Waiting> waiting;
    waiting.reserve(applications.size());
    for (auto& each : applications)
        waiting.push_back({each.socket.detach(), std::move(each.ticket)});
    on_v2_(std::move(waiting));
}

/// @return not_permitted if the service agent has chosen v2.
net::awaitable<Result<net::WebSocket>> ChannelSlot::open() {
    auto channel = co_await context_->dialer->connect(
        mapping_.entity,
        {.subprotocols = context_->offered_protocols(), .use_reserve = mapping_.ttl.count() > 0});
    if (!channel) {
        on_dial_failed(channel.error());
        co_return channel.error();
    }
    if (channel->subprotocol == kProtocolV2) co_return Error(errc::not_permitted);
    const auto sent = co_await send_preamble(channel->websocket);
    if (!sent) co_return sent.error();
    co_return std::move(channel->websocket);
}

net::awaitable<Result<void>> ChannelSlot::send_preamble(net::WebSocket& websocket) {
    const auto preamble = v1::encode_preamble(mapping_.key);
    const auto sent = co_await websocket.send(websocket::Opcode::binary, preamble);
    if (!sent) {
        const Error error(relay_errc::unreachable, sent.error().message());
        on_dial_failed(error);
        co_return error;
    }
    on_dialled();
    co_return Result<void>();
}

std::shared_ptr<ClientChannel> ChannelSlot::begin(net::WebSocket websocket) {
    ClientChannel::Options options;
    options.key = mapping_.key;
    options.half_close_linger = context_->options.half_close_linger;
    options.channel_idle = context_->options.channel_idle;
    options.connection_idle = context_->options.connection_idle;
    options.unacknowledged = context_->options.unacknowledged;
    auto channel =
        std::make_shared<ClientChannel>(std::move(websocket), options, notes_, context_->registry);
    if (!tunnel_v1::Channel::start(channel)) return nullptr;
    return channel;
}

void ChannelSlot::add(ClientChannel& channel, Application application) {
    channel.add(std::move(application.socket), std::move(application.ticket));
}

void ChannelSlot::on_dialled() {
    if (notes_->set_failing(false)) {
        ops::log_info(kComponent, "{}: connections go through again", notes_->name());
    } else {
        ops::log_debug(kComponent, "{}: channel begins", notes_->name());
    }
    if (context_->options.session.protocol != config::Protocol::v1 &&
        notes_->first_time(MappingNotes::Limit::v1_chosen)) {
        ops::log_info(kComponent,
                      "{}: the listener has not chosen hpb.v2, so this agent speaks v1, the .NET "
                      "bridge's protocol: connections end with their channel (said once per "
                      "mapping)",
                      notes_->name());
    }
}

void ChannelSlot::on_dial_failed(const Error& error) {
    if (notes_->set_failing(true)) {
        ops::log_warn(kComponent, "{}: connections are reset until there is a channel: {}",
                      notes_->name(), error.message());
    } else {
        ops::log_debug(kComponent, "{}: {}", notes_->name(), error.message());
    }
}

void ChannelSlot::stop() {
    stopping_ = true;
    channel_.reset();
    for (auto& each : std::exchange(waiting_, {})) reset(std::move(each.socket));
    for (auto& each : std::exchange(own_waiting_, {})) reset(std::move(each.socket));
}

}  // namespace hpb::agent::client
