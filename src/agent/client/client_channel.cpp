#include "agent/client/client_channel.hpp"

#include <algorithm>
#include <utility>

#include "net/endpoint.hpp"
#include "ops/log.hpp"
#include "v1/stranger.hpp"

namespace hpb::agent::client {
namespace {

constexpr const char* kComponent = "client";
/// A client application that has not sent a byte by then waits for its server to speak first.
constexpr std::chrono::seconds kSilenceLimit{5};

}  // namespace

ClientChannel::ClientChannel(net::WebSocket websocket, Options options,
                             std::shared_ptr<MappingNotes> notes,
                             std::shared_ptr<ChannelRegistry> registry)
    : tunnel_v1::Channel(std::move(websocket),
                         Settings{.name = notes->name(),
                                  .connection_idle = options.connection_idle,
                                  .unacknowledged = options.unacknowledged},
                         std::move(registry)),
      options_(options),
      notes_(std::move(notes)),
      begun_(net::Clock::now()),
      idle_since_(begun_) {}

void ClientChannel::add(net::Stream stream, Place place) {
    // What came first on it may have shown already that nobody there speaks v1.
    if (!open()) return stream.reset_on_close();
    const auto id = v1::ConnectionId::random();
    auto connection =
        std::make_shared<tunnel_v1::Connection>(shared_from_this(), id, std::move(place));
    insert(connection);
    track(connection);
    const auto peer = stream.remote_endpoint();
    ops::log_debug(kComponent, "{}: connection {} from {} begins", name(), connection->short_id(),
                   net::host_port(peer.address().to_string(), peer.port()));
    connection->attach(std::move(stream));
}

void ClientChannel::retire() {
    retired_ = true;
    wake();
}

net::awaitable<void> ClientChannel::on_local_end(std::shared_ptr<tunnel_v1::Connection> connection,
                                                 tunnel_v1::LocalEnd end) {
    ++untold_ends_;
    if (end == tunnel_v1::LocalEnd::eof) {
        if (connection->unanswered()) note_half_close();
        const auto before = connection->inbound_bytes();
        co_await connection->linger(options_.half_close_linger);
        // An application that has closed for good answers what still arrives with a reset.
        if (connection->inbound_bytes() != before && connection->takes_data()) note_half_close();
    }
    if (!open()) co_return;  // the channel's end ends its connections in its own way
    ops::log_debug(kComponent, "{}: connection {} ended by the application{}", name(),
                   connection->short_id(), end == tunnel_v1::LocalEnd::reset ? " (reset)" : "");
    forget(connection->id());
    connection->close();
}

void ClientChannel::note_half_close() {
    if (!notes_->first_time(MappingNotes::Limit::half_close)) return;
    ops::log_info(kComponent,
                  "{}: an application ended its sending direction while an answer was due; v1 "
                  "cannot pass a half-close on to the target, so the connection ends when nothing "
                  "has arrived for {} ms (said once per mapping)",
                  name(), options_.half_close_linger.count());
}

void ClientChannel::on_bytes(ByteSpan bytes) {
    if (heard_ == Heard::nothing) look_at_first(bytes);
    if (!open()) return;
    while (const auto piece = decoder_.next(bytes)) {
        if (piece->payload.empty()) continue;
        const auto connection = find(piece->id);
        if (!connection) continue;
        if (std::exchange(heard_, Heard::frames) != Heard::frames) notes_->carried_frames();
        connection->deliver(piece->payload);
    }
}

tunnel_v1::Channel::TimePoint ClientChannel::on_time(TimePoint now) {
    if (!open()) return TimePoint::max();
    if (connection_count() > 0) {
        idle_since_ = TimePoint::max();
        return std::min(note_silence(now), note_nothing_back(now));
    }
    if (retired_) {
        close_here(kNormalClosure, "");
        return TimePoint::max();
    }
    if (idle_since_ == TimePoint::max()) idle_since_ = now;
    const auto due = idle_since_ + options_.channel_idle;
    if (now < due) return due;
    ops::log_debug(kComponent, "{}: channel closed, it has had no connection for {} s", name(),
                   options_.channel_idle.count());
    close_here(kNormalClosure, "");
    return TimePoint::max();
}

tunnel_v1::Channel::TimePoint ClientChannel::note_silence(TimePoint now) {
    auto due = TimePoint::max();
    if (notes_->said(MappingNotes::Limit::server_speaks_first)) return due;
    for (const auto& [_, connection] : connections()) {
        if (!connection->silent()) continue;
        const auto at = connection->begun() + kSilenceLimit;
        if (now < at) {
            due = std::min(due, at);
        } else if (notes_->first_time(MappingNotes::Limit::server_speaks_first)) {
            ops::log_warn(kComponent,
                          "{}: neither side of connection {} has sent a byte for {} s; if this "
                          "protocol lets the server speak first, v1 cannot carry it: the target is "
                          "only dialled when the application has sent something (said once per "
                          "mapping)",
                          name(), connection->short_id(), kSilenceLimit.count());
            return TimePoint::max();
        }
    }
    return due;
}

void ClientChannel::on_given_up(const std::shared_ptr<tunnel_v1::Connection>& connection,
                                const std::string& why) {
    ops::log_warn(kComponent, "{}: connection {} ended, {}", name(), connection->short_id(), why);
}

void ClientChannel::look_at_first(ByteSpan bytes) {
    const std::size_t room = v1::kFrameHeaderSize - first_.size();
    first_ += as_text(bytes.first(std::min(room, bytes.size())));
    const auto first = as_bytes(first_);
    const auto preamble = v1::encode_preamble(options_.key);
    if (first.size() >= preamble.size() &&
        std::equal(preamble.begin(), preamble.end(), first.begin()))
        return on_no_bridge("it echoes what it receives");
    if (first.size() < v1::kFrameHeaderSize) return;
    heard_ = Heard::first_bytes;
    v1::ConnectionId id;
    std::copy_n(first.begin(), id.bytes.size(), id.bytes.begin());
    if (!v1::is_version_4(id))
        on_no_bridge("what it sends is not v1: " + v1::describe(v1::Stranger{}, first));
}

void ClientChannel::on_no_bridge(const std::string& why) {
    std::uint64_t suppressed = 0;
    if (notes_->admit_line(suppressed)) {
        ops::log_warn(kComponent,
                      "{}: the listener is not a service agent: {}; its connections are reset{}",
                      name(), why, ops::more_since(suppressed));
    }
    end_connections(tunnel_v1::ChannelEnd::lost);
    close_here(kProtocolError, "this is not v1");
}

void ClientChannel::close_here(std::uint16_t code, const std::string& reason) {
    closed_here_ = true;
    begin_close(code, reason);
}

tunnel_v1::Channel::TimePoint ClientChannel::note_nothing_back(TimePoint now) {
    if (heard_ == Heard::frames || notes_->said(MappingNotes::Limit::no_answer))
        return TimePoint::max();
    const auto due = begun_ + kNothingBack;
    if (now < due) return due;
    if (sent_any() && notes_->first_time(MappingNotes::Limit::no_answer)) {
        ops::log_warn(kComponent,
                      "{}: nothing valid has come back on a channel for {} s: its target is slow "
                      "or silent, or the listener is not a service agent (said once per mapping)",
                      name(), kNothingBack.count());
    }
    return TimePoint::max();
}

std::string ClientChannel::missing_at_end() const {
    if (heard_ == Heard::nothing && v1::is_azbridge_refusal(as_bytes(first_)))
        return "its listener speaks azbridge's protocol, but this agent speaks the .NET bridge's";
    return decoder_.in_frame() ? "it ended inside a frame" : "";
}

void ClientChannel::on_over(tunnel_v1::ChannelEnd how, const std::string& why) {
    std::uint64_t suppressed = 0;
    const bool at_once = heard_ != Heard::frames && !closed_here_ && sent_any() &&
                         how == tunnel_v1::ChannelEnd::clean && why != kAgentStops &&
                         net::Clock::now() < begun_ + kAtOnce;
    if (at_once && notes_->closed_at_once()) {
        ops::log_warn(
            kComponent,
            "{}: the listener closes channels as soon as they begin: its target refuses "
            "connections, it has no target for configuration key {}, or it is not a service "
            "agent",
            name(), options_.key);
    }
    if (how == tunnel_v1::ChannelEnd::lost && notes_->admit_line(suppressed)) {
        ops::log_warn(kComponent, "{}: channel lost ({}); its connections are reset{}", name(), why,
                      ops::more_since(suppressed));
    } else if (how == tunnel_v1::ChannelEnd::clean && why == kAgentStops &&
               notes_->admit_line(suppressed)) {
        ops::log_info(kComponent, "{}: channel closed: the service agent stops{}", name(),
                      ops::more_since(suppressed));
    } else {
        ops::log_debug(kComponent, "{}: channel closed{}{}", name(), why.empty() ? "" : ": ", why);
    }
}

}  // namespace hpb::agent::client
