#include "agent/client_channel.hpp"

#include <algorithm>
#include <utility>

#include "net/dial.hpp"
#include "ops/log.hpp"

namespace hpb::agent {
namespace {

constexpr const char* kComponent = "client";
/// A client application that has not sent a byte by then waits for its server to speak first.
constexpr std::chrono::seconds kSilenceLimit{5};

}  // namespace

ClientChannel::ClientChannel(net::WebSocket websocket, Options options,
                             std::shared_ptr<MappingNotes> notes,
                             std::shared_ptr<ChannelRegistry> registry)
    : Channel(std::move(websocket),
              Settings{.name = notes->name(),
                       .connection_idle = options.connection_idle,
                       .unacknowledged = options.unacknowledged},
              std::move(registry)),
      options_(options),
      notes_(std::move(notes)),
      idle_since_(net::Clock::now()) {}

void ClientChannel::add(net::Stream stream, Place place) {
    const auto id = v1::ConnectionId::random();
    auto connection = std::make_shared<Connection>(shared_from_this(), id, std::move(place));
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

net::awaitable<void> ClientChannel::on_local_end(std::shared_ptr<Connection> connection,
                                                 LocalEnd end) {
    ++untold_ends_;
    if (end == LocalEnd::eof) {
        if (connection->unanswered()) note_half_close();
        const auto before = connection->inbound_bytes();
        co_await connection->linger(options_.half_close_linger);
        // An application that has closed for good answers what still arrives with a reset.
        if (connection->inbound_bytes() != before && connection->takes_data()) note_half_close();
    }
    if (!open()) co_return;  // the channel's end ends its connections in its own way
    ops::log_debug(kComponent, "{}: connection {} ended by the application{}", name(),
                   connection->short_id(), end == LocalEnd::reset ? " (reset)" : "");
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
    while (const auto piece = decoder_.next(bytes)) {
        if (piece->payload.empty()) continue;
        if (const auto connection = find(piece->id)) connection->deliver(piece->payload);
    }
}

Channel::TimePoint ClientChannel::on_time(TimePoint now) {
    if (!open()) return TimePoint::max();
    if (connection_count() > 0) {
        idle_since_ = TimePoint::max();
        return note_silence(now);
    }
    if (retired_) {
        begin_close(kNormalClosure, "");
        return TimePoint::max();
    }
    if (idle_since_ == TimePoint::max()) idle_since_ = now;
    const auto due = idle_since_ + options_.channel_idle;
    if (now < due) return due;
    ops::log_debug(kComponent, "{}: channel closed, it has had no connection for {} s", name(),
                   options_.channel_idle.count());
    begin_close(kNormalClosure, "");
    return TimePoint::max();
}

Channel::TimePoint ClientChannel::note_silence(TimePoint now) {
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

void ClientChannel::on_given_up(const std::shared_ptr<Connection>& connection,
                                const std::string& why) {
    ops::log_warn(kComponent, "{}: connection {} ended, {}", name(), connection->short_id(), why);
}

std::string ClientChannel::missing_at_end() const {
    return decoder_.in_frame() ? "it ended inside a frame" : "";
}

void ClientChannel::on_over(ChannelEnd how, const std::string& why) {
    std::uint64_t suppressed = 0;
    if (how == ChannelEnd::lost && notes_->admit_line(suppressed)) {
        ops::log_warn(kComponent, "{}: channel lost ({}); its connections are reset{}", name(), why,
                      suppressed_text(suppressed));
    } else if (how == ChannelEnd::clean && why == kAgentStops && notes_->admit_line(suppressed)) {
        ops::log_info(kComponent, "{}: channel closed: the service agent stops{}", name(),
                      suppressed_text(suppressed));
    } else {
        ops::log_debug(kComponent, "{}: channel closed{}{}", name(), why.empty() ? "" : ": ", why);
    }
}

}  // namespace hpb::agent
