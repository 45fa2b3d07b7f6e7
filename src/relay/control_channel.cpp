#include "relay/control_channel.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "hc/control_message.hpp"
#include "hc/tracking_id.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"
#include "relay/pending_sender.hpp"
#include "relay/refusal.hpp"

namespace hpb::relay {
namespace {

constexpr std::uint16_t kPolicyViolation = 1008;  // RFC 6455 section 7.4.1
/// A listener that answers none of this many Pings in a row is gone: at least as many have to be
/// out, because a process that was stopped for a while finds its timers due before it has read
/// what arrived meanwhile.
constexpr int kMissedPings = 3;
constexpr std::chrono::seconds kCloseLimit{5};
constexpr std::chrono::milliseconds kDoubtPause{100};

}  // namespace

ControlChannel::ControlChannel(net::WebSocket socket, Registry& registry,
                               std::shared_ptr<Entity> entity, const config::RelayOptions& options,
                               std::string id, std::string instance, std::string public_base,
                               Grant grant, TokenCheck check_token, std::chrono::seconds keep_alive,
                               ListenerLog log)
    : socket_(std::move(socket)),
      registry_(registry),
      entity_(std::move(entity)),
      options_(options),
      id_(std::move(id)),
      instance_(std::move(instance)),
      public_base_(std::move(public_base)),
      grant_(std::move(grant)),
      check_token_(std::move(check_token)),
      keep_alive_(keep_alive),
      log_(std::move(log)),
      ended_signal_(socket_.executor()) {}

net::awaitable<void> ControlChannel::run(std::string response) {
    const auto self = shared_from_this();
    // A connection that has carried nothing yet takes an answer of this size whole, or is broken.
    const auto answered = socket_.stream().try_write(as_bytes(response));
    if (!answered || *answered != response.size()) {
        ended_ = true;
        registry_.remove_listener(*entity_, *this);
        co_return;
    }
    log_.log->listener_came(log_.peer, id_, entity_->options.path, grant_.rule,
                            registry_.listener_count(*entity_));
    net::spawn(socket_.executor(), watch(self));
    const auto result = co_await receive_all();
    ended_ = true;
    registry_.remove_listener(*entity_, *this);
    ended_signal_.notify_all();
    const auto& close = socket_.close_received();
    log_.log->listener_left(
        log_.peer, id_, entity_->options.path,
        close ? printable(fmt::format("close {} {}", close->code, close->reason), 200)
              : result.error().message(),
        registry_.listener_count(*entity_));
    if (close || socket_.close_sent()) {
        co_await socket_.close(1000, "", kCloseLimit);
    }
    socket_.interrupt();
}

net::awaitable<Result<void>> ControlChannel::receive_all() {
    for (;;) {
        const auto message = co_await socket_.receive_message(kMaxMessage);
        if (!message) co_return message.error();
        if (!*message) co_return Result<void>();
        // Binary messages are bodies of responses to requests that this relay does not send.
        if ((*message)->opcode == websocket::Opcode::text) on_message((*message)->data);
    }
}

void ControlChannel::on_message(const std::string& text) {
    const auto message = hc::parse_control_message(text);
    if (!message) {
        ops::log_debug("relay", "listener {}: ignored a control message: {}", id_,
                       message.error().message());
        return;
    }
    if (const auto* renewal = std::get_if<hc::RenewTokenMessage>(&*message)) renew(renewal->token);
}

void ControlChannel::renew(const std::string& token) {
    const auto grant = check_token_(token);
    if (!grant) {
        ops::log_warn("relay", "listener {} on {}: token renewal refused: {}", id_,
                      entity_->options.path, grant.error().sentence);
        socket_.send_close(kPolicyViolation, describe(grant.error().sentence));
        return;
    }
    grant_ = *grant;
}

// Close reasons hold 123 bytes, so the tracking id stands right behind the sentence.
std::string ControlChannel::describe(std::string_view sentence) const {
    return std::string(sentence.substr(0, 60)) + ". TrackingId:" + hc::make_tracking_id(id_);
}

std::chrono::milliseconds ControlChannel::ping_interval() const {
    return keep_alive_.count() > 0 ? std::chrono::milliseconds(keep_alive_) / 2
                                   : std::chrono::milliseconds(options_.ping_interval);
}

std::chrono::milliseconds ControlChannel::longest_silence() const {
    return keep_alive_.count() > 0 ? 2 * keep_alive_ : options_.ping_interval * kMissedPings;
}

// Pings, notices a dead listener, and ends the channel when its token has expired and the grace is
// over.
net::awaitable<void> ControlChannel::watch(std::shared_ptr<ControlChannel> self) {
    auto next_ping = net::Clock::now() + self->ping_interval();
    net::Clock::time_point heard;
    int unanswered = 0;
    for (;;) {
        const std::int64_t left =
            self->grant_.expiry + self->options_.token_grace.count() - unix_now();
        // A token may be good for centuries; the sum must stay within the clock's range.
        const auto expiry =
            net::Clock::now() + std::chrono::seconds(std::clamp<std::int64_t>(left, 0, 86400));
        if (heard != self->socket_.last_received()) unanswered = 0;
        heard = self->socket_.last_received();
        const auto death = unanswered >= kMissedPings ? heard + self->longest_silence()
                                                      : net::Clock::time_point::max();
        (void)co_await self->ended_signal_.wait_until(std::min({next_ping, expiry, death}));
        if (self->ended_ || self->replaced_) co_return;
        if (unix_now() >= self->grant_.expiry + self->options_.token_grace.count()) {
            ops::reached(ops::Limit::expired_listeners);
            self->socket_.send_close(kPolicyViolation, self->describe("The token is expired"));
            // A listener that does not answer the Close is cut.
            (void)co_await self->ended_signal_.wait_until(net::Clock::now() + kCloseLimit);
            self->cut();
            co_return;
        }
        if (heard == self->socket_.last_received() && net::Clock::now() >= death) {
            ops::log_warn("relay", "listener {} on {} does not answer Pings", self->id_,
                          self->entity_->options.path);
            ops::reached(ops::Limit::silent_listeners);
            self->socket_.interrupt();
            co_return;
        }
        if (net::Clock::now() < next_ping) continue;
        next_ping = net::Clock::now() + self->ping_interval();
        self->socket_.send_ping();
        ++unanswered;
    }
}

void ControlChannel::announce(std::string message, std::shared_ptr<PendingSender> sender) {
    net::asio::post(socket_.executor(), [self = shared_from_this(), message = std::move(message),
                                         sender = std::move(sender)]() mutable {
        const bool full = self->queued_announcements_ >= kMaxQueuedAnnouncements;
        if (full) ops::reached(ops::Limit::full_announcements);
        if (full || self->ended_ || self->replaced_) return PendingSender::listener_lost(sender);
        ++self->queued_announcements_;
        net::spawn(self->socket_.executor(), send_announcement(self, std::move(message)));
    });
}

void ControlChannel::doubt() {
    net::asio::post(socket_.executor(), [self = shared_from_this()] {
        if (self->ended_ || self->replaced_ || self->doubted_.exchange(true)) return;
        self->socket_.send_ping();
        net::spawn(self->socket_.executor(), resolve_doubt(self));
    });
}

net::awaitable<void> ControlChannel::resolve_doubt(std::shared_ptr<ControlChannel> self) {
    const auto asked = net::Clock::now();
    const auto until = asked + kDoubtLimit;
    const auto heard = [&] { return self->socket_.last_received() > asked; };
    // Nobody tells when something has been received; a look now and then is enough.
    while (!self->ended_ && !heard() && net::Clock::now() < until)
        (void)co_await self->ended_signal_.wait_until(net::Clock::now() + kDoubtPause);
    if (!self->ended_ && !self->replaced_ && !heard()) {
        ops::log_debug("relay", "listener {} on {}: another one has its id, and this one is dead",
                       self->id_, self->entity_->options.path);
        ops::reached(ops::Limit::dead_namesakes);
        self->socket_.interrupt();
        co_return;
    }
    self->doubted_ = false;
}

void ControlChannel::replace() {
    net::asio::post(socket_.executor(), [self = shared_from_this()] {
        if (self->ended_ || std::exchange(self->replaced_, true)) return;
        // Senders that had chosen this channel just before it left the registry.
        self->registry_.remove_listener(*self->entity_, *self);
        self->socket_.send_close(kPolicyViolation,
                                 self->describe("The listener has another control channel"));
        net::spawn(self->socket_.executor(), end_replaced(self));
    });
}

// What is replaced is often a connection that carries nothing any more, so no answer is expected.
net::awaitable<void> ControlChannel::end_replaced(std::shared_ptr<ControlChannel> self) {
    const auto until = net::Clock::now() + kCloseLimit;
    while (!self->ended_ && net::Clock::now() < until)
        (void)co_await self->ended_signal_.wait_until(until);
    self->cut();
}

void ControlChannel::cut() {
    if (ended_) return;
    ops::reached(ops::Limit::unanswered_closes);
    socket_.interrupt();
}

net::awaitable<void> ControlChannel::send_announcement(std::shared_ptr<ControlChannel> self,
                                                       std::string message) {
    const auto sent = co_await self->socket_.send(websocket::Opcode::text, as_bytes(message));
    --self->queued_announcements_;
    // run() sees the end, and removing the listener tells its waiting senders.
    if (!sent) self->socket_.interrupt();
}

void ControlChannel::shut_down(std::uint16_t code, std::string reason) {
    net::asio::post(socket_.executor(),
                    [self = shared_from_this(), code, reason = std::move(reason)] {
                        self->socket_.send_close(code, self->describe(reason));
                    });
}

}  // namespace hpb::relay
