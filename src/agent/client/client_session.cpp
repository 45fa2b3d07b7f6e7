#include "agent/client/client_session.hpp"

#include <algorithm>
#include <utility>

#include "agent/session_limits.hpp"
#include "agent/source_address.hpp"
#include "crypto/crypto.hpp"
#include "net/endpoint.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::agent::client {

using session::ChannelId;
using session::StreamId;

namespace {

constexpr const char* kComponent = "client";
constexpr std::chrono::milliseconds kFirstRetry{50};
constexpr std::chrono::milliseconds kLastRetry{2000};
/// When the relay or a stranger answers, the one we look for may be there at any moment.
constexpr std::chrono::milliseconds kStrangerRetry{500};
/// A wrong configuration is unlikely to be fixed within a second, so retry slowly.
constexpr std::chrono::milliseconds kRefusedRetry{10000};
/// The first attempts are given up early: the path that has just failed may swallow them too.
constexpr std::chrono::milliseconds kFirstAttemptLimit{5000};
/// A channel that lasted as long was a success; a shorter one counts as a failed attempt.
constexpr std::chrono::seconds kLasting{1};

session::Identity new_identity() {
    session::Identity identity;
    crypto::random_bytes(identity.id.bytes);
    crypto::random_bytes(identity.secret);
    return identity;
}

std::chrono::milliseconds retry_delay(unsigned failures, std::chrono::milliseconds most) {
    if (failures <= 1) return failures == 0 ? std::chrono::milliseconds(0) : kFirstRetry;
    const auto full = std::min<std::chrono::milliseconds>(
        most, kFirstRetry * (1LL << std::min(failures - 1, 10U)));
    return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(
        static_cast<double>(full.count()) * (0.5 + crypto::random_fraction() / 2)));
}

}  // namespace

ClientSession::ClientSession(const net::asio::any_io_executor& executor,
                             std::shared_ptr<const ClientContext> context, Route route,
                             std::weak_ptr<Observer> observer)
    : tunnel_v2::SessionDriver(executor,
                               Settings{.name = route.entity,
                                        .component = kComponent,
                                        .connection_idle = context->options.connection_idle,
                                        .unacknowledged = context->options.unacknowledged},
                               context->registry, context->metrics),
      context_(std::move(context)),
      route_(std::move(route)),
      observer_(std::move(observer)),
      pool_(std::make_shared<session::SlabPool>()),
      places_(std::max<std::size_t>(1, route_.channels)),
      wake_(executor),
      idle_since_(net::Clock::now()) {
    session_ = std::make_unique<session::Session>(
        session::Role::client, new_identity(),
        session_limits(context_->options.session, *context_->memory), *pool_, net::Clock::now());
    use(*session_);
}

bool ClientSession::start(const std::shared_ptr<ClientSession>& session, net::WebSocket websocket) {
    if (!session->context_->registry->add(session)) return false;
    session->begin_channel(session->places_.front(), std::move(websocket));
    net::spawn(session->executor(), tend(session));
    return true;
}

bool ClientSession::is_usable() const {
    return welcomed_ && !ending_ && !stranded_ && session_->has_open_channel();
}

bool ClientSession::is_pending() const {
    return !ending_ && !stranded_ && !is_usable();
}

bool ClientSession::take(net::Stream& application, const net::tcp::endpoint& peer,
                         Quota::Ticket& ticket, std::int32_t key,
                         const std::shared_ptr<MappingNotes>& notes) {
    const auto stream = session_->open({key, source_address(peer)});
    if (!stream) return false;
    ops::log_debug(kComponent, [&] {
        return fmt::format("{}: connection {} from {} begins", notes->name(), label(*stream),
                           net::host_port(peer.address().to_string(), peer.port()));
    });
    unanswered_.emplace(stream->value, notes);
    add_socket(*stream, std::move(application), std::move(ticket));
    pump();
    return true;
}

// ---- channels

net::awaitable<void> ClientSession::tend(std::shared_ptr<ClientSession> self) {
    while (!self->ending_) {
        const auto now = net::Clock::now();
        const auto load_due = self->tend_load(now);
        const auto due = std::min({load_due, self->tend_places(now), self->tend_idleness(now)});
        if (!self->ending_) (void)co_await self->wake_.wait_until(due);
    }
}

// The last places come and go. One whose channel is on its way goes when that has been settled, and
// one that has the only channel when there is another.
ClientSession::TimePoint ClientSession::tend_load(TimePoint now) {
    const bool busy = now < load_.busy_until();
    const std::size_t wanted =
        busy ? std::max(route_.channels, route_.channels_under_load) : route_.channels;
    if (places_.size() < wanted) {
        ops::log_debug(kComponent, "{}: session {} is busy: {} channels instead of {}", name(),
                       short_id(), wanted, places_.size());
        places_.resize(wanted);
    }
    while (places_.size() > wanted) {
        const Place& last = places_.back();
        if (last.dialling || last.coming != ChannelId{}) break;
        const bool others = std::any_of(places_.begin(), places_.end() - 1, [](const Place& place) {
            return place.live != ChannelId{};
        });
        if (last.live != ChannelId{} && !others) break;
        if (last.live != ChannelId{}) session_->close_channel(last.live);
        places_.pop_back();
        pump();
    }
    return busy ? load_.busy_until() : TimePoint::max();
}

ClientSession::TimePoint ClientSession::tend_places(TimePoint now) {
    auto due = TimePoint::max();
    for (std::size_t i = 0; i < places_.size(); ++i) {
        Place& place = places_[i];
        const bool filled = place.live != ChannelId{} && now < place.expires;
        if (filled) due = std::min(due, place.expires);
        if (filled || !may_dial(place)) continue;
        if (now < place.retry_at) {
            due = std::min(due, place.retry_at);
            continue;
        }
        place.dialling = true;
        net::spawn(executor(),
                   dial(std::static_pointer_cast<ClientSession>(shared_from_this()), i));
    }
    return due;
}

// While there is no channel, one attempt at a time: the others would fare no better.
bool ClientSession::may_dial(const Place& place) const {
    if (place.dialling || place.coming != ChannelId{}) return false;
    if (session_->has_open_channel()) return true;
    return std::none_of(places_.begin(), places_.end(), [](const Place& other) {
        return other.dialling || other.coming != ChannelId{};
    });
}

ClientSession::TimePoint ClientSession::tend_idleness(TimePoint now) {
    const auto idle = context_->options.session.idle;
    if (socket_count() > 0 || !welcomed_ || idle.count() <= 0) return TimePoint::max();
    const auto due = idle_since_ + idle;
    if (now < due) return due;
    ops::reached(ops::Limit::idle_sessions);
    ops::log_debug(kComponent, "{}: session {} ends, it has had no connection for {} s", name(),
                   short_id(), idle.count());
    end(session::errc::session_ended);
    return TimePoint::max();
}

RelayDialer::ConnectOptions ClientSession::connect_options(const Place& place) const {
    RelayDialer::ConnectOptions options;
    options.subprotocols = context_->offered_protocols();
    // In vain with a relay that does not know the header, or when the listener has another id now.
    if (strangers_ % 2 == 0) options.listener = listener_id_;
    options.limit = kFirstAttemptLimit * (1LL << std::min(place.failures, 4U));
    return options;
}

net::awaitable<void> ClientSession::dial(std::shared_ptr<ClientSession> self, std::size_t index) {
    auto channel = co_await self->context_->dialer->connect(
        self->route_.entity, self->connect_options(self->places_[index]));
    Place& place = self->places_[index];
    place.dialling = false;
    if (self->ending_) co_return;
    if (!channel) {
        const Error& why = channel.error();
        if (why.code() == make_error_code(relay_errc::no_such_listener)) {
            self->on_stranger(place, why.message());
        } else {
            self->on_attempt_failed(place, why);
        }
    } else if (channel->subprotocol != kProtocolV2) {
        self->on_stranger(place, "the service agent that answered speaks v1");
    } else {
        self->begin_channel(place, std::move(channel->websocket));
    }
    self->wake_.notify_all();
}

void ClientSession::begin_channel(Place& place, net::WebSocket websocket) {
    session::Nonce nonce;
    crypto::random_bytes(nonce);
    const auto channel = session_->attach(nonce, net::Clock::now());
    if (!channel) {
        on_attempt_failed(place, channel.error());
        return;
    }
    place.coming = *channel;
    add_link(std::move(websocket), *channel);
    pump();
}

void ClientSession::on_channel_open(ChannelId channel, const std::string& listener_id) {
    listener_id_ = listener_id;
    strangers_ = 0;
    strangers_since_ = TimePoint::max();
    stranded_ = false;
    welcomed_ = true;
    const auto now = net::Clock::now();
    for (Place& place : places_) {
        if (place.coming != channel) continue;
        // Make before break: the old one goes now that the new one is there.
        if (place.live != ChannelId{}) session_->close_channel(place.live);
        place.live = channel;
        place.coming = {};
        place.opened_at = now;
        place.expires = route_.ttl.count() > 0 ? now + route_.ttl : TimePoint::max();
    }
    wake_.notify_all();
    if (const auto observer = observer_.lock()) observer->on_usable(*this);
}

void ClientSession::on_channel_refused(ChannelId channel, session::HelloRefusal code,
                                       const std::string& why) {
    if (!welcomed_) {
        failure_ = Error(relay_errc::refused, "the service agent refused the session: " + why);
        return;
    }
    if (code == session::HelloRefusal::bad_proof || code == session::HelloRefusal::version) {
        ops::log_error(kComponent, "{}: session {} cannot be resumed: {}", name(), short_id(), why);
        end(session::errc::session_ended);
        return;
    }
    for (Place& place : places_) {
        if (place.coming != channel) continue;
        place.coming = {};
        on_stranger(place, why);
    }
}

void ClientSession::on_channel_gone(ChannelId channel, bool orderly) {
    const auto now = net::Clock::now();
    for (Place& place : places_) {
        if (place.live == channel) {
            place.live = {};
            place.expires = TimePoint::max();
            place.failures = now - place.opened_at >= kLasting || orderly ? 0 : 1;
            place.retry_at = now + retry_delay(place.failures, kLastRetry);
        } else if (place.coming == channel) {
            place.coming = {};
            if (!welcomed_ && !failure_)
                failure_ = Error(relay_errc::unreachable, "the channel was lost before it began");
            on_attempt_failed(place, Error(relay_errc::unreachable, "the channel was lost"));
        }
    }
    if (!welcomed_) end(session::errc::session_ended);
    wake_.notify_all();
}

void ClientSession::on_attempt_failed(Place& place, const Error& why) {
    ++place.failures;
    place.retry_at = net::Clock::now() +
                     retry_delay(place.failures, is_permanent(why) ? kRefusedRetry : kLastRetry);
    if (why.code() == make_error_code(relay_errc::unreachable))
        strangers_since_ = TimePoint::max();  // perhaps ours is cut off in the same way
    ops::log_debug(kComponent, "{}: session {}: no channel: {}", name(), short_id(), why.message());
    if (session_->has_open_channel()) return;
    if (const auto observer = observer_.lock()) observer->on_attempt_failed(*this, why);
}

// The relay is there, and ours is not.
void ClientSession::on_stranger(Place& place, const std::string& why) {
    const auto now = net::Clock::now();
    ++place.failures;
    ++strangers_;
    place.retry_at = now + retry_delay(place.failures, kStrangerRetry);
    if (session_->has_open_channel()) return;
    if (strangers_since_ == TimePoint::max()) {
        strangers_since_ = now;
        strangers_ = 1;  // those that answered for a second channel do not count
    }
    ops::log_debug(kComponent, "{}: session {}: {}", name(), short_id(), why);
    if (strangers_ > kMaxListeners && now - strangers_since_ >= kForgottenAfter) {
        ops::reached(ops::Limit::gone_service_agents);
        ops::log_warn(kComponent,
                      "{}: session {}: its service agent is gone, others have answered for {} s "
                      "({}); its {} connections are reset",
                      name(), short_id(), kForgottenAfter.count(), why, socket_count());
        end(session::errc::session_ended);
        return;
    }
    if (std::exchange(stranded_, true)) return;
    if (const auto observer = observer_.lock()) observer->on_stranded(*this);
}

// ---- streams

void ClientSession::on_stream_opened(StreamId stream, const session::OpenInfo& open) {
    ops::log_debug(kComponent, "{}: the service agent opened a connection (key {})", name(),
                   open.key);
    (void)core().refuse(stream, session::OpenRefusal::not_allowed,
                        "the client agent connects to no targets");
}

void ClientSession::on_stream_accepted(StreamId stream) {
    ops::log_debug(kComponent, [&] {
        return fmt::format("{}: connection {} has reached its target", name(), label(stream));
    });
    unanswered_.erase(stream.value);
}

void ClientSession::on_stream_refused(StreamId stream, session::OpenRefusal code,
                                      const std::string& why) {
    const auto found = unanswered_.find(stream.value);
    if (found == unanswered_.end()) return;
    const auto notes = found->second;
    unanswered_.erase(found);
    std::uint64_t suppressed = 0;
    if (!notes->admit_line(suppressed)) return;
    ops::log_warn(kComponent, "{}: connection {} reset: {}{}", notes->name(), label(stream),
                  why.empty() ? session::describe(code) : why, ops::more_since(suppressed));
}

void ClientSession::on_stream_gone(StreamId stream) {
    unanswered_.erase(stream.value);
}

void ClientSession::on_pumped() {
    const auto& stats = session_->stats();
    if (const auto moved = stats.bytes_sent + stats.bytes_received; load_.is_step(moved)) {
        const auto now = net::Clock::now();
        const bool was_busy = now < load_.busy_until();
        load_.on_step(moved, now);
        if (!was_busy && now < load_.busy_until()) wake_.notify_all();
    }
    if (socket_count() > 0) {
        idle_since_ = TimePoint::max();
    } else if (idle_since_ == TimePoint::max()) {
        idle_since_ = net::Clock::now();
        wake_.notify_all();
    }
    if (!is_usable()) return;
    if (const auto observer = observer_.lock()) observer->on_room(*this);
}

void ClientSession::on_session_ended(session::errc code) {
    ending_ = true;
    if (session::ends_session(code)) {
        ops::log_error(kComponent, "{}: session {} ended, the service agent broke the protocol: {}",
                       name(), short_id(), session::describe(code));
    }
    wake_.notify_all();
}

void ClientSession::on_over() {
    if (const auto observer = observer_.lock())
        observer->on_gone(*this, welcomed_ ? std::nullopt : failure_);
}

}  // namespace hpb::agent::client
