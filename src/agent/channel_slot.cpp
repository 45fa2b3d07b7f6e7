#include "agent/channel_slot.hpp"

#include <utility>

#include "ops/log.hpp"
#include "v1/frame.hpp"

namespace hpb::agent {
namespace {

constexpr const char* kComponent = "client";

}  // namespace

void reset(net::Stream application) {
    application.reset_on_close();
}

ChannelSlot::ChannelSlot(const net::asio::any_io_executor& executor,
                         std::shared_ptr<const ClientContext> context, Mapping mapping,
                         std::shared_ptr<MappingNotes> notes)
    : executor_(executor),
      context_(std::move(context)),
      mapping_(std::move(mapping)),
      notes_(std::move(notes)) {}

void ChannelSlot::take(net::Stream application, Quota::Ticket ticket) {
    if (stopping_) return reset(std::move(application));
    Waiting waiting{std::move(application), std::move(ticket)};
    if (mapping_.ttl.count() <= 0) {
        net::spawn(executor_, dial_own(shared_from_this(), std::move(waiting)));
        return;
    }
    drop_ended_channel(net::Clock::now());
    if (channel_) {
        add(*channel_, std::move(waiting));
        return;
    }
    waiting_.push_back(std::move(waiting));
    if (!std::exchange(dialing_, true)) net::spawn(executor_, dial_shared(shared_from_this()));
}

void ChannelSlot::drop_ended_channel(net::Clock::time_point now) {
    if (!channel_) return;
    if (channel_->open()) {
        const bool crowded = channel_->untold_ends() >= kMaxUntoldEnds;
        if (now < expires_ && !crowded) return;
        ops::log_debug(kComponent, "{}: channel replaced, {}", notes_->name(),
                       crowded ? "too many of its connections have ended" : "its time is over");
        channel_->retire();
    }
    channel_.reset();
}

net::awaitable<void> ChannelSlot::dial_shared(std::shared_ptr<ChannelSlot> self) {
    auto websocket = co_await self->open();
    self->dialing_ = false;
    auto waiting = std::exchange(self->waiting_, {});
    const auto channel =
        websocket && !self->stopping_ ? self->begin(std::move(*websocket)) : nullptr;
    if (channel) {
        self->channel_ = channel;
        self->expires_ = net::Clock::now() + self->mapping_.ttl;
    }
    for (auto& each : waiting) {
        if (channel) {
            self->add(*channel, std::move(each));
        } else {
            reset(std::move(each.application));
        }
    }
}

net::awaitable<void> ChannelSlot::dial_own(std::shared_ptr<ChannelSlot> self, Waiting waiting) {
    auto websocket = co_await self->open();
    const auto channel =
        websocket && !self->stopping_ ? self->begin(std::move(*websocket)) : nullptr;
    if (!channel) {
        reset(std::move(waiting.application));
        co_return;
    }
    self->add(*channel, std::move(waiting));
    channel->retire();
}

net::awaitable<Result<net::WebSocket>> ChannelSlot::open() {
    auto channel = co_await context_->dialer->connect(mapping_.entity, {});
    Result<net::WebSocket> websocket =
        channel ? Result<net::WebSocket>(std::move(channel->websocket)) : channel.error();
    if (websocket) {
        const auto preamble = v1::encode_preamble(mapping_.key);
        const auto sent = co_await websocket->send(websocket::Opcode::binary, preamble);
        if (!sent) websocket = Error(relay_errc::unreachable, sent.error().message());
    }
    if (websocket) {
        on_dialled();
    } else {
        on_dial_failed(websocket.error());
    }
    co_return std::move(websocket);
}

std::shared_ptr<ClientChannel> ChannelSlot::begin(net::WebSocket websocket) {
    ClientChannel::Options options;
    options.half_close_linger = context_->options.half_close_linger;
    options.channel_idle = context_->options.channel_idle;
    options.connection_idle = context_->options.connection_idle;
    auto channel =
        std::make_shared<ClientChannel>(std::move(websocket), options, notes_, context_->registry);
    if (!Channel::start(channel)) return nullptr;
    return channel;
}

void ChannelSlot::add(ClientChannel& channel, Waiting waiting) {
    channel.add(std::move(waiting.application), std::move(waiting.ticket));
}

void ChannelSlot::on_dialled() {
    if (notes_->set_failing(false)) {
        ops::log_info(kComponent, "{}: connections go through again", notes_->name());
    } else {
        ops::log_debug(kComponent, "{}: channel begins", notes_->name());
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
    for (auto& each : std::exchange(waiting_, {})) reset(std::move(each.application));
}

}  // namespace hpb::agent
