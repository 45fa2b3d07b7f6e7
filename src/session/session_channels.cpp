// Channels of a session: how they begin, fail and end, which streams prefer which, and time.
#include <algorithm>

#include "session/session.hpp"

namespace hpb::session {

using ChannelState = SessionChannel::State;
using std::chrono::microseconds;

namespace {

constexpr std::size_t kMostLost = 16;
// How often the round-trip time is measured while data flows, and how many times in a row on a new
// channel.
constexpr std::chrono::seconds kPingInterval{1};
constexpr microseconds kProbeAbove{500};
constexpr microseconds kProbeBelow{5000};
constexpr unsigned kProbes = 8;
// How often to check whether other sessions have released memory.
constexpr milliseconds kMemoryInterval{25};

}  // namespace

SessionChannel* Session::find(ChannelId channel) {
    for (const auto& each : channels_) {
        if (each->id == channel) return each.get();
    }
    return nullptr;
}

const SessionChannel* Session::find_channel(ChannelId channel) const {
    for (const auto& each : channels_) {
        if (each->id == channel) return each.get();
    }
    return nullptr;
}

Parameters Session::parameters() const {
    return {.keep_alive_ms = static_cast<std::uint32_t>(limits_.keep_alive.count()),
            .grace_ms = static_cast<std::uint32_t>(limits_.grace.count()),
            .max_streams = limits_.max_streams,
            .initial_credit = limits_.initial_credit,
            .max_frame = limits_.max_frame};
}

// Only the first ones count; a session's parameters never change.
errc Session::take_parameters(const Parameters& theirs) {
    if (theirs.max_frame < kMaxControlPayload) return errc::malformed_frame;
    if (welcomed_) return errc::none;
    welcomed_ = true;
    peer_ = theirs;
    limits_.grace = std::min(limits_.grace, milliseconds{theirs.grace_ms});
    local_limit_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        std::uint64_t{limits_.first_stream_index} + theirs.max_streams, 0x7fffffff));
    return errc::none;
}

Result<ChannelId> Session::attach(const Nonce& nonce, Clock::time_point now) {
    if (ended_) return errc::closed;
    // Two channels of a session that no service agent knows yet could reach two different ones.
    if (channels_.size() >= limits_.max_channels || (!welcomed_ && !channels_.empty())) {
        return errc::too_many_channels;
    }
    const ChannelId id{next_channel_++};
    auto channel = std::make_unique<SessionChannel>(id, limits_, now);
    channel->state = ChannelState::hello_sent;
    channel->nonce = nonce;
    HelloFrame hello;
    hello.session = identity_.id;
    hello.channel = id;
    hello.resume = welcomed_;
    hello.nonce = nonce;
    hello.secret_or_proof =
        welcomed_ ? client_proof(identity_.secret, identity_.id, id, nonce) : identity_.secret;
    hello.parameters = parameters();
    channel->outbox.append(encode(hello).finish());
    channels_.push_back(std::move(channel));
    return id;
}

std::optional<HelloRefusal> Session::admit(const HelloFrame& hello, const Nonce& nonce,
                                           std::string_view listener_id, Clock::time_point now) {
    if (ended_) return HelloRefusal::unknown_session;
    const auto version = choose_version(hello.min_version, hello.version);
    if (!version) return HelloRefusal::version;
    const Proof& expected =
        hello.resume ? client_proof(identity_.secret, identity_.id, hello.channel, hello.nonce)
                     : identity_.secret;
    if (!equal(expected, hello.secret_or_proof)) return HelloRefusal::bad_proof;
    if (!replay_.is_fresh(hello.channel)) return HelloRefusal::replayed;
    if (take_parameters(hello.parameters) != errc::none) return HelloRefusal::malformed;
    replay_.mark(hello.channel);
    if (channels_.size() >= limits_.max_channels) {
        const auto silent = std::min_element(
            channels_.begin(), channels_.end(),
            [](const auto& a, const auto& b) { return a->last_received < b->last_received; });
        if (!(*silent)->told_dead) tell(Event::Kind::channel_dead).channel = (*silent)->id;
        // Its owner may be writing what its outbox holds: it stays until the owner releases it.
        dropped_.push_back(drop(**silent, now));
    }
    channels_.push_back(std::make_unique<SessionChannel>(hello.channel, limits_, now));
    SessionChannel& channel = *channels_.back();
    WelcomeFrame welcome;
    welcome.version = *version;
    welcome.parameters = parameters();
    welcome.nonce = nonce;
    welcome.proof =
        service_proof(identity_.secret, identity_.id, hello.channel, hello.nonce, nonce);
    welcome.listener_id = listener_id;
    channel.outbox.append(encode(welcome).finish());
    channel_opened(channel, {}, now);
    return std::nullopt;
}

void Session::channel_opened(SessionChannel& channel, std::string_view listener_id,
                             Clock::time_point now) {
    if (!has_open_channel() && stats_.channels_opened > 0) ++stats_.resumes;
    channel.state = ChannelState::open;
    send_ping(channel, now);
    ++stats_.channels_opened;
    Event& event = tell(Event::Kind::channel_open);
    event.channel = channel.id;
    event.text = listener_id;
    for (const auto& [id, stream] : streams_) {
        if (stream->home == ChannelId{}) rehome(*stream);
    }
}

void Session::close_channel(ChannelId id) {
    SessionChannel* channel = find(id);
    if (channel != nullptr && channel->is_usable()) begin_close(*channel);
}

void Session::begin_close(SessionChannel& channel) {
    channel.closing = true;
    for (const auto& [id, stream] : streams_) {
        if (stream->home == channel.id) rehome(*stream);
    }
}

// Invalid input on a channel, which may end the session.
void Session::fail(SessionChannel& channel, errc why, Clock::time_point now) {
    if (ends_session(why)) {
        if (!ended_) finish_session(why, why);
        return;
    }
    const bool was_open = channel.state == ChannelState::open;
    channel.state = ChannelState::failed;
    if (!was_open) return;
    if (!channel.close_sent) {
        channel.outbox.append(
            encode(FrameType::channel_close, {}, static_cast<std::uint16_t>(why), describe(why))
                .finish());
    }
    if (!has_open_channel()) alone_since_ = now;
}

void Session::on_channel_lost(ChannelId id, Clock::time_point now) {
    std::erase_if(dropped_, [&](const auto& channel) { return channel->id == id; });
    if (SessionChannel* channel = find(id)) static_cast<void>(drop(*channel, now));
}

std::unique_ptr<SessionChannel> Session::drop(SessionChannel& lost, Clock::time_point now) {
    const ChannelId id = lost.id;
    const auto at = std::find_if(channels_.begin(), channels_.end(),
                                 [&](const auto& channel) { return channel.get() == &lost; });
    std::unique_ptr<SessionChannel> channel = std::move(*at);
    channels_.erase(at);
    if (channel->state == ChannelState::hello_sent) return channel;  // it has carried nothing
    ++stats_.channels_lost;
    if (channel->state == ChannelState::open && !has_open_channel()) alone_since_ = now;
    streams_due_ = streams_due_ || peer_ended_ > 0;
    // Bounded: with so many lost since the last one that held, the oldest are long forgotten.
    if (lost_due_.size() == kMostLost) lost_due_.erase(lost_due_.begin());
    lost_due_.push_back(id);
    for (const auto& [key, stream] : streams_) forget_channel_of(*stream, id);
    wake_writers();
    return channel;
}

// Resend everything that the peer may have missed, whichever channel was lost: an acknowledgement
// may have been lost on it although its data took another channel. A peer that has forgotten the
// stream answers with CLOSED.
void Session::forget_channel_of(Stream& stream, ChannelId lost) {
    stats_.bytes_requeued += stream.send.on_channel_lost(lost);
    stream.acked_position = 0;
    unsigned dirty = stream.dirty;
    if (stream.state != State::live) {
        dirty |= Stream::kEnd;
    } else if (!stream.peer_forgot) {
        dirty |= Stream::kAck;
        if (stream.local && !stream.confirmed) dirty |= Stream::kOpen;
        if (!stream.local && stream.accepted) dirty |= Stream::kOpened;
    }
    stream.dirty = static_cast<std::uint8_t>(dirty);
    if (stream.home == lost) {
        rehome(stream);
    } else {
        wake(stream);
    }
}

void Session::rehome(Stream& stream) {
    SessionChannel* best = nullptr;
    for (const auto& channel : channels_) {
        if (!channel->is_usable()) continue;
        if (best == nullptr || channel->streams < best->streams) best = channel.get();
    }
    set_home(stream, best);
}

void Session::set_home(Stream& stream, SessionChannel* channel) {
    if (SessionChannel* old = find(stream.home)) --old->streams;
    if (stream.control_hook.is_linked()) stream.control_hook.unlink();
    Scheduler::remove(stream);
    // Until the peer is known to have OPEN, it goes first on whatever channel carries the stream.
    if (stream.local && !stream.confirmed && stream.state == State::live) {
        stream.dirty = static_cast<std::uint8_t>(stream.dirty | Stream::kOpen);
    }
    stream.home = channel == nullptr ? ChannelId{} : channel->id;
    if (channel == nullptr) return;
    ++channel->streams;
    wake(stream);
}

bool Session::has_open_channel() const {
    return std::any_of(channels_.begin(), channels_.end(),
                       [](const auto& channel) { return channel->state == ChannelState::open; });
}

void Session::tell_drained() {
    for (const auto& channel : channels_) {
        if (!channel->close_sent || !channel->close_received || channel->told_drained) continue;
        if (!channel->outbox.empty()) continue;
        const bool outstanding = std::any_of(
            streams_.begin(), streams_.end(),
            [&](const auto& entry) { return entry.second->send.in_flight_on(channel->id); });
        // Acknowledgements can arrive only on another channel; without one, do not wait.
        if (outstanding && has_usable_channel()) continue;
        channel->told_drained = true;
        tell(Event::Kind::channel_drained).channel = channel->id;
    }
}

bool Session::has_usable_channel() const {
    return std::any_of(channels_.begin(), channels_.end(),
                       [](const auto& channel) { return channel->is_usable(); });
}

// ---- time

// While idle, to check that the peer is alive. While data flows, to measure the path: the smallest
// of many round-trip times is the one without queueing.
Clock::time_point Session::ping_time(const SessionChannel& channel) const {
    const auto in_silence = std::max(channel.last_received + limits_.keep_alive / 2,
                                     channel.last_ping + limits_.keep_alive);
    if (!channel.carries_data || channel.ping_unanswered) return in_silence;
    return std::min(in_silence, channel.last_ping + kPingInterval);
}

void Session::send_ping(SessionChannel& channel, Clock::time_point now) {
    channel.ping_due = true;
    channel.ping_unanswered = true;
    channel.pings_quietly = !channel.carries_data;
    channel.carries_data = false;
    channel.last_ping = now;
    ++channel.ping_token;
}

void Session::on_pong(SessionChannel& channel, std::uint64_t token, Clock::time_point now) {
    if (token != channel.ping_token || !channel.ping_unanswered) return;
    channel.ping_unanswered = false;
    const auto took = std::chrono::duration_cast<microseconds>(now - channel.last_ping);
    round_trip_.on_sample(took, channel.pings_quietly && !channel.carries_data);
    // Once there is a queue on the channel, it is measured too: so a possibly short path is
    // measured repeatedly while the channel is new.
    const bool unclear = took > kProbeAbove && took < kProbeBelow;
    if (unclear && ++channel.probes < kProbes) send_ping(channel, now);
}

Clock::time_point Session::death_time(const SessionChannel& channel) const {
    return channel.last_received + limits_.keep_alive * 5 / 2;
}

// A session that has never had a stream expires early.
milliseconds Session::grace() const {
    const bool unused = role_ == Role::service && stats_.streams_opened == 0;
    return unused ? std::min(limits_.grace, limits_.unused_grace) : limits_.grace;
}

std::optional<Clock::time_point> Session::next_deadline() const {
    if (ended_) return std::nullopt;
    std::optional<Clock::time_point> first = ack_time_;
    const auto at = [&](Clock::time_point time) { first = first ? std::min(*first, time) : time; };
    for (const auto& channel : channels_) {
        if (channel->told_dead || channel->state == ChannelState::failed) continue;
        at(death_time(*channel));
        if (channel->state == ChannelState::open && !channel->close_sent) at(ping_time(*channel));
    }
    if (!has_open_channel()) at(alone_since_ + grace());
    if (unused_ > 0) at(unused_time_);
    if (waits_for_others()) at(memory_time_);
    return first;
}

bool Session::waits_for_others() const {
    return limits_.shared != nullptr && !(waiting_.empty() && starved_.empty());
}

// Another session, on any thread, may release memory without notification, so waiting streams must
// poll.
void Session::look_for_memory(Clock::time_point now) {
    if (!waits_for_others() || now < memory_time_) return;
    memory_time_ = now + kMemoryInterval;
    if (limits_.shared->room() == 0) return;
    feed_starved();
    wake_writers();
}

void Session::on_timeout(Clock::time_point now) {
    if (ended_) return;
    if (ack_time_ && now >= *ack_time_) {
        ack_time_.reset();
        while (!unacked_.empty()) {
            Stream& stream = unacked_.front();
            unacked_.pop_front();
            mark(stream, Stream::kAck);
        }
    }
    look_for_memory(now);
    if (unused_ > 0 && now >= unused_time_) settle_unused(now);
    for (const auto& channel : channels_) {
        if (channel->told_dead || channel->state == ChannelState::failed) continue;
        if (now >= death_time(*channel)) {
            channel->told_dead = true;
            tell(Event::Kind::channel_dead).channel = channel->id;
        } else if (channel->state == ChannelState::open && !channel->close_sent &&
                   now >= ping_time(*channel)) {
            send_ping(*channel, now);
        }
    }
    if (!has_open_channel() && now >= alone_since_ + grace()) {
        finish_session(errc::session_expired, errc::none);
    }
}

}  // namespace hpb::session
