#include "agent/tunnel_v1/channel.hpp"

#include <algorithm>
#include <utility>

#include "agent/unused_memory.hpp"
#include "base/text.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::agent::tunnel_v1 {
namespace {

/// Inbound bytes after which the others of this thread get their turn.
constexpr std::size_t kReadTurn = 64 * 1024;

}  // namespace

Channel::Channel(net::WebSocket websocket, Settings settings,
                 std::shared_ptr<ChannelRegistry> registry)
    : websocket_(std::move(websocket)),
      settings_(std::move(settings)),
      registry_(std::move(registry)),
      turn_(websocket_.executor()),
      room_(websocket_.executor()),
      wake_(websocket_.executor()),
      next_pong_(net::Clock::now() + kKeepAlive),
      reading_since_(net::Clock::now()) {}

Channel::~Channel() {
    registry_->remove(this);
    if (most_connections_ >= kCrowd) give_back_memory_soon(executor());
}

bool Channel::start(const std::shared_ptr<Channel>& channel) {
    if (!channel->registry_->add(channel)) return false;
    net::spawn(channel->executor(), run(channel));
    return true;
}

net::awaitable<void> Channel::run(std::shared_ptr<Channel> self) {
    net::spawn(self->executor(), watch(self));
    std::string why;
    const ChannelEnd how = co_await self->read_until_end(why);
    self->phase_ = Phase::over;
    self->end_connections(how);
    self->on_over(how, why);
    self->wake();
    co_await self->websocket_.close(kNormalClosure, "", kCloseLimit);
    self->websocket_.interrupt();
}

net::awaitable<ChannelEnd> Channel::read_until_end(std::string& why) {
    std::size_t read = 0;
    for (;;) {
        while (queued_ >= kMaxQueued && phase_ == Phase::open) {
            if (std::exchange(reading_, Reading::paused) == Reading::never_paused)
                ops::reached(ops::Limit::paused_channels);
            co_await room_.wait();
            reading_since_ = net::Clock::now();
        }
        if (reading_ == Reading::paused) reading_ = Reading::resumed;
        const auto piece = co_await websocket_.receive();
        if (!piece) {
            why = piece.error().message();
            co_return phase_ == Phase::closing ? ChannelEnd::clean : ChannelEnd::lost;
        }
        if (!*piece) break;
        const ByteSpan payload = (*piece)->payload;
        if (phase_ == Phase::open) on_bytes(payload);
        read += payload.size();
        if (read < kReadTurn) continue;
        read = 0;
        co_await net::give_way();
    }
    const auto& close = *websocket_.close_received();
    why = printable(close.reason);
    // No code at all is how some libraries say 1000 (RFC 6455 section 7.1.5).
    if (close.code == kNormalClosure || close.code == 0) {
        // Half a frame is no end, however orderly: the stream must not pass for a whole one.
        std::string missing = phase_ == Phase::closing ? "" : missing_at_end();
        if (missing.empty()) co_return ChannelEnd::clean;
        why = std::move(missing);
        co_return ChannelEnd::lost;
    }
    why = "closed with code " + std::to_string(close.code) + (why.empty() ? "" : ": " + why);
    co_return ChannelEnd::lost;
}

void Channel::shut_down() {
    if (phase_ == Phase::over) return;
    end_connections(ChannelEnd::clean);
    begin_close(kNormalClosure, std::string(kAgentStops));
}

void Channel::begin_close(std::uint16_t code, const std::string& reason) {
    if (phase_ != Phase::open) return;
    phase_ = Phase::closing;
    close_deadline_ = net::Clock::now() + kCloseLimit;
    websocket_.send_close(code, reason);
    room_.notify_all();
    wake();
}

void Channel::end_connections(ChannelEnd how) {
    const auto ending = std::exchange(connections_, {});
    idle_order_.clear();
    for (const auto& [_, connection] : ending) connection->on_channel_end(how);
}

net::awaitable<Result<void>> Channel::send(MutableByteSpan frame) {
    sent_any_ = true;
    return websocket_.send_in_place(websocket::Opcode::binary, frame);
}

void Channel::on_consumed(std::size_t bytes) {
    if (bytes == 0) return;
    queued_ -= bytes;
    if (reading_ == Reading::paused && queued_ < kMaxQueued) room_.notify_all();
}

void Channel::wake() {
    woken_ = true;
    wake_.notify_all();
}

std::shared_ptr<Connection> Channel::find(const v1::ConnectionId& id) const {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : found->second;
}

void Channel::insert(const std::shared_ptr<Connection>& connection) {
    connections_.emplace(connection->id(), connection);
    most_connections_ = std::max(most_connections_, connections_.size());
    wake();
}

void Channel::forget(const v1::ConnectionId& id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    idle_order_.erase(found->second.get());
    connections_.erase(found);
    wake();
}

net::awaitable<void> Channel::watch(std::shared_ptr<Channel> self) {
    while (self->phase_ != Phase::over) {
        self->woken_ = false;
        const auto now = net::Clock::now();
        const auto own = self->keep_time(now);
        const auto due = std::min(own, self->on_time(now));
        if (self->phase_ == Phase::over) break;
        if (self->woken_) continue;  // by what was just done
        (void)co_await self->wake_.wait_until(due);
    }
}

Channel::TimePoint Channel::keep_time(TimePoint now) {
    if (now >= close_deadline_) {
        ops::reached(ops::Limit::unanswered_closes);
        websocket_.interrupt();
        close_deadline_ = TimePoint::max();
    }
    if (now >= next_pong_) {
        websocket_.send_pong();
        next_pong_ = now + kKeepAlive;
    }
    auto due = std::min(next_pong_, close_deadline_);
    if (websocket_.peer_pings() && reading_ != Reading::paused) {
        const auto silent_at = std::max(websocket_.last_received(), reading_since_) + kPeerSilence;
        if (now >= silent_at) {
            ops::reached(ops::Limit::silent_relays);
            ops::log_warn("channel", "{}: the relay has fallen silent", name());
            websocket_.interrupt();
            return now + kKeepAlive;
        }
        due = std::min(due, silent_at);
    }
    return std::min({due, end_idle_connections(now), end_vanished_connections(now)});
}

Channel::TimePoint Channel::end_idle_connections(TimePoint now) {
    if (settings_.connection_idle.count() <= 0 || connections_.empty()) return TimePoint::max();
    while (const auto connection = longest_idle()) {
        const auto due = connection->last_activity() + settings_.connection_idle;
        if (now < due) return due;
        ops::reached(ops::Limit::idle_connections);
        give_up({connection}, "it has been idle for too long");
    }
    return TimePoint::max();
}

Channel::TimePoint Channel::end_vanished_connections(TimePoint now) {
    const auto limit = settings_.unacknowledged;
    if (limit.count() <= 0 || connections_.empty()) return next_vanished_check_ = TimePoint::max();
    if (next_vanished_check_ == TimePoint::max())
        return next_vanished_check_ = now + VanishedPeer::period(limit);
    if (now < next_vanished_check_) return next_vanished_check_;
    std::vector<std::shared_ptr<Connection>> vanished;
    for (const auto& [_, connection] : connections_) {
        if (!connection->has_vanished(now, limit)) continue;
        ops::reached(ops::Limit::vanished_peers);
        vanished.push_back(connection);
    }
    give_up(vanished,
            "its peer has acknowledged nothing for " + std::to_string(limit.count()) + " s");
    return next_vanished_check_ = now + VanishedPeer::period(limit);
}

void Channel::give_up(const std::vector<std::shared_ptr<Connection>>& connections,
                      const std::string& why) {
    for (const auto& connection : connections) {
        forget(connection->id());
        connection->abort();
        on_given_up(connection, why);
    }
}

}  // namespace hpb::agent::tunnel_v1
