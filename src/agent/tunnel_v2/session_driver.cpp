#include "agent/tunnel_v2/session_driver.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/unused_memory.hpp"
#include "crypto/crypto.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::agent::tunnel_v2 {

using session::ChannelId;
using session::Event;
using session::StreamId;

namespace {

constexpr std::size_t kShortId = 8;  // hex digits: enough to find a session in a log
/// So long after the last flush the next one does not wait for more to say: several turns of an
/// event loop that is busy, less than a round trip between neighbours.
constexpr std::chrono::microseconds kQuiet{40};

/// One side has wanted more of the other than it was granted.
bool is_beyond_limits(session::errc code) {
    using session::errc;
    return code == errc::flow_control || code == errc::stream_limit ||
           code == errc::too_fragmented || code == errc::flood;
}

double seconds(net::Clock::duration time) {
    return std::chrono::duration<double>(time).count();
}

}  // namespace

SessionDriver::SessionDriver(const net::asio::any_io_executor& executor, Settings settings,
                             std::shared_ptr<ChannelRegistry> registry,
                             std::shared_ptr<SessionMetrics> metrics)
    : executor_(executor),
      settings_(std::move(settings)),
      registry_(std::move(registry)),
      metrics_(std::move(metrics)),
      timer_(executor),
      alone_since_(net::Clock::now()) {}

SessionDriver::~SessionDriver() {
    registry_->remove(this);
    if (was_crowded_) give_back_memory_soon(executor_);
}

void SessionDriver::use(session::Session& core) {
    core_ = &core;
    short_id_ = crypto::hex(core.id().bytes).substr(0, kShortId);
    if (settings_.connection_idle.count() > 0)
        next_idle_check_ = net::Clock::now() + settings_.connection_idle;
}

SessionDriver::TimePoint SessionDriver::next_check() const {
    return std::min(next_idle_check_, next_vanished_check_);
}

std::string SessionDriver::label(StreamId stream) const {
    return short_id_ + "/" + std::to_string(stream.value);
}

void SessionDriver::shut_down() {
    stops_here_ = true;
    end(session::errc::shutting_down);
}

void SessionDriver::end(session::errc code) {
    if (is_over()) return;
    core_->end(code);
    pump();
}

void SessionDriver::add_link(net::WebSocket websocket, ChannelId channel, Place place) {
    auto link =
        std::make_shared<SessionLink>(std::move(websocket), *this, channel, std::move(place));
    links_.emplace(channel.value, link);
    link->start(shared_from_this());
}

void SessionDriver::add_socket(StreamId stream, net::Stream socket, Place place) {
    auto bridged =
        std::make_shared<BridgedSocket>(*this, stream, std::move(socket), std::move(place));
    sockets_.emplace(stream.value, bridged);
    was_crowded_ = was_crowded_ || sockets_.size() >= kCrowd;
    if (settings_.unacknowledged.count() > 0 && next_vanished_check_ == TimePoint::max())
        next_vanished_check_ = net::Clock::now() + VanishedPeer::period(settings_.unacknowledged);
    bridged->start(shared_from_this());
}

void SessionDriver::forget(StreamId stream) {
    if (sockets_.erase(stream.value) != 0) on_stream_gone(stream);
}

Result<void> SessionDriver::on_link_bytes(ChannelId channel, ByteSpan bytes) {
    if (is_over()) return session::errc::closed;
    auto done = core_->on_bytes(channel, bytes, net::Clock::now());
    if (!done) pump();
    return done;
}

void SessionDriver::take_output(ChannelId channel, net::OutboundFrame& into) {
    if (is_over()) return;
    const std::size_t before = into.size();
    for (const ByteSpan span : core_->pending_output(channel, into.room())) {
        into.append(span.first(std::min(span.size(), into.room())));
        if (into.room() == 0) break;
    }
    // They are on their way as far as the session is concerned: if they get lost, so does the
    // channel.
    core_->output_sent(channel, into.size() - before);
}

void SessionDriver::on_link_over(ChannelId channel, const std::string& why) {
    const auto found = links_.find(channel.value);
    if (found == links_.end()) return;
    const auto link = found->second;
    links_.erase(found);
    if (is_over()) return;
    pump();  // what the last bytes said, such as that the session ends
    if (is_over()) return;
    const auto now = net::Clock::now();
    const auto* state = core_->find_channel(channel);
    const bool closed_by_both = state != nullptr && state->close_sent && state->close_received;
    const bool orderly = link->is_closing() || phase_ == Phase::ended || closed_by_both;
    if (closed_by_both && !state->told_drained && phase_ == Phase::running) {
        // All that was sent on it has arrived; the acknowledgements come by another channel, or it
        // will be found dead.
        on_channel_gone(channel, true);
        return pump();
    }
    const bool was_open = state != nullptr && state->state == session::SessionChannel::State::open;
    core_->on_channel_lost(channel, now);
    if (!orderly && was_open) {
        ++metrics_->losses;
        const bool alone = !core_->has_open_channel();
        if (const auto more = metrics_->lost_lines.admit(settings_.name))
            ops::log_warn(settings_.component, "{}: session {}: channel {} lost ({}); {}{}",
                          settings_.name, short_id_, channel.value, why,
                          alone ? "waiting for another" : "continuing with the others", *more);
    }
    if (was_open && !core_->has_open_channel() && std::exchange(reach_, Reach::lost) != Reach::lost)
        alone_since_ = now;
    on_channel_gone(channel, orderly);
    pump();
}

void SessionDriver::pump() {
    if (is_over()) return;
    if (std::exchange(pump_, Pump::again) != Pump::idle) return;
    const auto self = shared_from_this();
    while (pump_ == Pump::again) {
        pump_ = Pump::running;
        while (const auto event = core_->next_event()) dispatch(*event);
        if (pump_ == Pump::running && !is_over()) on_pumped();
    }
    pump_ = Pump::idle;
    if (is_over()) return;
    flush_soon();
    arm_timer();
    finish_if_over();
}

// A single word goes out at once. Where there are many, what the other events of this turn have to
// say goes out in the same frames.
void SessionDriver::flush_soon() {
    if (flush_posted_) return;
    if (net::Clock::now() - flushed_at_ > kQuiet) return flush();
    flush_posted_ = true;
    net::asio::post(executor_, [self = shared_from_this()] {
        self->flush_posted_ = false;
        if (!self->is_over()) self->flush();
    });
}

void SessionDriver::flush() {
    flushed_at_ = net::Clock::now();
    for (const auto& [_, link] : links_) link->fetch_output();
}

void SessionDriver::dispatch(const Event& event) {
    switch (event.kind) {
        case Event::Kind::channel_open:
            return channel_opened(event);
        case Event::Kind::channel_refused:
            return on_channel_refused(event.channel, event.hello, event.text);
        case Event::Kind::channel_dead:
        case Event::Kind::channel_drained: {
            const auto found = links_.find(event.channel.value);
            if (found == links_.end()) {
                core_->on_channel_lost(event.channel, net::Clock::now());
            } else if (event.kind == Event::Kind::channel_dead) {
                ops::reached(ops::Limit::silent_channels);
                found->second->cut("it has fallen silent");
            } else {
                found->second->close();
            }
            return;
        }
        case Event::Kind::opened:
            return on_stream_opened(event.stream, event.open);
        case Event::Kind::accepted:
            return on_stream_accepted(event.stream);
        case Event::Kind::refused:
            on_stream_refused(event.stream, event.refusal, event.text);
            return dispatch_to_socket(event);
        case Event::Kind::ended:
            return ended(event.code);
        default:
            return dispatch_to_socket(event);
    }
}

void SessionDriver::dispatch_to_socket(const Event& event) {
    const auto found = sockets_.find(event.stream.value);
    if (found == sockets_.end()) return;
    const auto socket = found->second;
    switch (event.kind) {
        case Event::Kind::readable:
            return socket->on_readable();
        case Event::Kind::inbound_finished:
            return socket->on_inbound_finished();
        case Event::Kind::writable:
            return socket->on_writable();
        case Event::Kind::closed:
            return socket->on_closed();
        default:  // refused, reset
            forget(event.stream);
            return socket->on_reset();
    }
}

void SessionDriver::channel_opened(const Event& event) {
    // Lost in the moment in which it began: its loss was told first, and there is nothing to resume
    // on.
    if (core_->find_channel(event.channel) == nullptr) return;
    if (std::exchange(reach_, Reach::reached) == Reach::lost) {
        const auto gone = net::Clock::now() - alone_since_;
        const std::uint64_t requeued = core_->stats().bytes_requeued - requeued_before_;
        ++metrics_->resumes;
        if (const auto more = metrics_->resumed_lines.admit(settings_.name))
            ops::log_info(settings_.component,
                          "resumed session {}… on {} after {:.1f} s, resent {} KiB{}", short_id_,
                          settings_.name, seconds(gone), (requeued + 1023) / 1024, *more);
    } else {
        ops::log_debug(settings_.component, "{}: session {}: channel {} open", settings_.name,
                       short_id_, event.channel.value);
    }
    requeued_before_ = core_->stats().bytes_requeued;
    on_channel_open(event.channel, event.text);
}

void SessionDriver::ended(session::errc code) {
    phase_ = Phase::ended;
    const std::size_t connections = sockets_.size();
    // The remaining streams had ended before and only wait for their sockets.
    for (const auto& [_, socket] : std::exchange(sockets_, {})) socket->on_reset();
    if (code == session::errc::session_expired) {
        ops::reached(ops::Limit::expired);
        if (const auto more = metrics_->expired_lines.admit(settings_.name))
            ops::log_warn(
                settings_.component,
                "{}: session {}… expired: no channel for {:.0f} s; its connections are reset{}",
                settings_.name, short_id_, seconds(net::Clock::now() - alone_since_), *more);
    } else if (code == session::errc::shutting_down) {
        const std::string_view other = std::string_view(settings_.component) == "client"
                                           ? "the service agent"
                                           : "the client agent";
        if (const auto more = metrics_->ended_lines.admit(settings_.name))
            ops::log_info(settings_.component,
                          "{}: session {} ended with {} connections: {} stops{}", settings_.name,
                          short_id_, connections, stops_here_ ? "this agent" : other, *more);
    } else {
        ops::log_debug(settings_.component, "{}: session {} ended ({}) with {} connections",
                       settings_.name, short_id_, session::describe(code), connections);
    }
    if (is_beyond_limits(code)) {
        ops::reached(ops::Limit::flooded_sessions);
        was_crowded_ = true;
    }
    on_session_ended(code);
    for (const auto& [_, link] : links_) link->close();
}

void SessionDriver::finish_if_over() {
    if (phase_ != Phase::ended || !links_.empty()) return;
    phase_ = Phase::over;
    timer_.cancel();
    metrics_->add_past(*core_);
    registry_->remove(this);
    on_over();
}

void SessionDriver::add_to(SessionCounts& sum) const {
    if (is_over() || core_ == nullptr) return;
    ++sum.sessions;
    sum.streams += core_->stream_count();
    sum.channels += links_.size();
    sum.stalled += core_->stalled_streams();
    sum.replay_memory += core_->send_budget_used();
    sum.resent_bytes += core_->stats().bytes_resent;
}

// ---- time

void SessionDriver::arm_timer() {
    auto due = std::min(core_->next_deadline().value_or(TimePoint::max()), next_check());
    if (due == TimePoint::max() || phase_ != Phase::running) return;
    if (due >= armed_for_) return;  // an early timer looks again; no need to move it
    armed_for_ = due;
    timer_.expires_at(due);
    timer_.async_wait([weak = weak_from_this()](net::error_code error) {
        if (error) return;
        if (const auto self = weak.lock()) self->on_timer();
    });
}

void SessionDriver::on_timer() {
    armed_for_ = TimePoint::max();
    if (is_over()) return;
    const auto now = net::Clock::now();
    core_->on_timeout(now);
    if (const auto waits = core_->stats().memory_waits;
        waits != std::exchange(memory_waits_, waits))
        ops::reached(ops::Limit::memory_waits);
    if (now >= next_idle_check_) end_idle_sockets(now);
    if (now >= next_vanished_check_) end_vanished_sockets(now);
    pump();
}

void SessionDriver::end_idle_sockets(TimePoint now) {
    next_idle_check_ = now + settings_.connection_idle;
    std::vector<std::shared_ptr<BridgedSocket>> idle;
    for (const auto& [_, socket] : sockets_) {
        const auto at = socket->last_activity() + settings_.connection_idle;
        if (at <= now) {
            idle.push_back(socket);
        } else {
            next_idle_check_ = std::min(next_idle_check_, at);
        }
    }
    for (const auto& socket : idle) {
        ops::reached(ops::Limit::idle_connections);
        ops::log_info(settings_.component, "{}: connection {} reset, it has been idle for too long",
                      settings_.name, label(socket->stream()));
        socket->abort();
    }
}

void SessionDriver::end_vanished_sockets(TimePoint now) {
    const auto limit = settings_.unacknowledged;
    next_vanished_check_ = sockets_.empty() ? TimePoint::max() : now + VanishedPeer::period(limit);
    std::vector<std::shared_ptr<BridgedSocket>> vanished;
    for (const auto& [_, socket] : sockets_) {
        if (socket->has_vanished(now, limit)) vanished.push_back(socket);
    }
    for (const auto& socket : vanished) {
        ops::reached(ops::Limit::vanished_peers);
        ops::log_warn(settings_.component,
                      "{}: connection {} reset, its peer has acknowledged nothing for {} s",
                      settings_.name, label(socket->stream()), limit.count());
        socket->abort();
    }
}

}  // namespace hpb::agent::tunnel_v2
