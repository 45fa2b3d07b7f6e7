#include "agent/service_channel.hpp"

#include <algorithm>

#include "net/dial.hpp"
#include "ops/log.hpp"

namespace hpb::agent {
namespace {

constexpr const char* kComponent = "service";
/// A client agent dials when an application has connected; one that sends nothing by then probably
/// waits for the server to speak first.
constexpr std::chrono::seconds kSilenceLimit{5};

}  // namespace

std::string ServedEntity::known_keys() const {
    std::string keys;
    for (const auto& [key, _] : mappings) {
        if (keys.size() > 200) return keys + ", …";
        keys += (keys.empty() ? "" : ", ") + std::to_string(key);
    }
    return keys;
}

ServiceChannel::ServiceChannel(net::WebSocket websocket, Options options,
                               std::shared_ptr<const ServedEntity> entity,
                               std::shared_ptr<ChannelRegistry> registry, Quota::Ticket ticket)
    : Channel(std::move(websocket),
              Settings{.name = entity->path,
                       .connection_idle = options.connection_idle,
                       .unacknowledged = options.unacknowledged},
              std::move(registry)),
      options_(options),
      entity_(std::move(entity)),
      ticket_(std::move(ticket)),
      mapping_name_(entity_->path),
      idle_since_(net::Clock::now()) {}

void ServiceChannel::on_bytes(ByteSpan bytes) {
    if (mapping_ == nullptr) {
        const auto key = preamble_.next(bytes);
        if (!key) return;
        choose_mapping(*key);
        if (mapping_ == nullptr) return;
    }
    while (const auto piece = decoder_.next(bytes)) {
        if (!piece->payload.empty()) on_piece(*piece);
    }
}

void ServiceChannel::choose_mapping(std::int32_t key) {
    const auto found = entity_->mappings.find(key);
    if (found != entity_->mappings.end()) {
        mapping_ = &found->second;
        mapping_name_ = mapping_->notes->name();
        mapped_at_ = net::Clock::now();
        ops::log_debug(kComponent, "{}: channel begins", mapping_name_);
        wake();
        return;
    }
    std::uint64_t suppressed = 0;
    if (entity_->notes->admit_line(suppressed)) {
        ops::log_warn(kComponent,
                      "{}: a client agent asked for configuration key {}, which has no target "
                      "here (known: {}); channel closed{}",
                      entity_->path, key, entity_->known_keys(), suppressed_text(suppressed));
    }
    begin_close(kPolicyViolation, "no target for configuration key " + std::to_string(key));
}

void ServiceChannel::on_piece(const v1::FrameDecoder::Piece& piece) {
    any_frame_ = true;
    if (const auto connection = find(piece.id)) {
        connection->deliver(piece.payload);
    } else if (closed_.contains(piece.id)) {
        note_late_data();
    } else if (piece.frame_start && open()) {
        open_connection(piece.id, piece.payload);
    }
    // Else the rest of a frame whose connection ended in the middle of it.
}

void ServiceChannel::note_late_data() {
    if (!mapping_->notes->first_time(MappingNotes::Limit::late_data)) return;
    ops::log_info(kComponent,
                  "{}: an application goes on sending after its target {} has closed; v1 cannot "
                  "carry the close, so this data is dropped (said once per mapping)",
                  mapping_name_, mapping_->target.to_string());
}

void ServiceChannel::open_connection(const v1::ConnectionId& id, ByteSpan payload) {
    linger_until_ = TimePoint::max();
    auto ticket = Quota::try_take(entity_->connections);
    const bool admitted = static_cast<bool>(ticket);
    auto connection = std::make_shared<Connection>(shared_from_this(), id, std::move(ticket));
    insert(connection);
    if (!admitted) {
        on_refused(connection, Error(errc::limit_exceeded,
                                     "too many target connections (limit " +
                                         std::to_string(entity_->connections->limit()) + ")"));
        return;
    }
    connection->deliver(payload);
    net::spawn(executor(), dial_target(std::static_pointer_cast<ServiceChannel>(shared_from_this()),
                                       connection));
}

net::awaitable<void> ServiceChannel::dial_target(std::shared_ptr<ServiceChannel> self,
                                                 std::shared_ptr<Connection> connection) {
    const auto& target = self->mapping_->target;
    net::DialOptions options;
    options.timeout = self->options_.connect_timeout;
    auto stream = co_await net::dial(target.host, target.port, options);
    if (!stream) {
        self->on_refused(connection, stream.error());
        co_return;
    }
    if (self->mapping_->notes->set_failing(false))
        ops::log_info(kComponent, "{}: target {} is reachable again", self->mapping_name_,
                      target.to_string());
    ops::log_debug(kComponent, "{}: connection {} to {} begins", self->mapping_name_,
                   connection->short_id(), target.to_string());
    connection->attach(std::move(*stream));
}

void ServiceChannel::on_refused(const std::shared_ptr<Connection>& connection, const Error& why) {
    const std::string target = mapping_->target.to_string();
    const bool refused = why.code() == net::asio::error::connection_refused;
    const std::string text =
        refused ? "refused by " + target + " (connection refused)" : target + ": " + why.message();
    std::uint64_t suppressed = 0;
    (void)mapping_->notes->set_failing(true);
    if (mapping_->notes->admit_line(suppressed)) {
        ops::log_warn(kComponent, "{}: connection {}: {}{}", mapping_name_, connection->short_id(),
                      text, suppressed_text(suppressed));
    }
    if (mapping_->notes->first_time(MappingNotes::Limit::refusal)) {
        ops::log_info(
            kComponent,
            "{}: v1 cannot carry a refusal: the application sees a reset if the channel has no "
            "other connection, else nothing (said once per mapping)",
            mapping_name_);
    }
    connection->close();
    if (!open() || find(connection->id()) != connection) return;
    any_reset_ = true;
    retire_id(connection->id());
    // Nothing is on its way to the peer that its end of the channel could cut off.
    if (connection_count() == 0 && !sent_any())
        begin_close(kInternalError, "the target cannot be reached");
}

void ServiceChannel::retire_id(const v1::ConnectionId& id) {
    forget(id);
    if (options_.reopen_after_target_close) return;
    closed_.insert(id);
    if (connection_count() == 0) linger_until_ = net::Clock::now() + options_.close_linger;
    wake();
}

net::awaitable<void> ServiceChannel::on_local_end(std::shared_ptr<Connection> connection,
                                                  LocalEnd end) {
    ops::log_debug(kComponent, "{}: connection {} ended by the target{}", mapping_name_,
                   connection->short_id(), end == LocalEnd::reset ? " (reset)" : "");
    connection->close();
    if (find(connection->id()) == connection) {
        any_reset_ = any_reset_ || end == LocalEnd::reset;
        retire_id(connection->id());
    }
    co_return;
}

Channel::TimePoint ServiceChannel::on_time(TimePoint now) {
    if (!open()) return TimePoint::max();
    auto due = TimePoint::max();
    if (mapping_ != nullptr && !any_frame_ &&
        !mapping_->notes->said(MappingNotes::Limit::server_speaks_first)) {
        due = mapped_at_ + kSilenceLimit;
        if (now >= due && mapping_->notes->first_time(MappingNotes::Limit::server_speaks_first)) {
            ops::log_info(kComponent,
                          "{}: a channel has carried no data for {} s since it began; if this "
                          "protocol lets the server speak first, v1 cannot carry it: {} is only "
                          "dialled when the application has sent something (said once per mapping)",
                          mapping_name_, kSilenceLimit.count(), mapping_->target.to_string());
        }
        if (now >= due) due = TimePoint::max();
    }
    if (connection_count() > 0) {
        idle_since_ = TimePoint::max();
        return due;
    }
    if (idle_since_ == TimePoint::max()) idle_since_ = now;
    if (now >= linger_until_) {
        const bool reset = any_reset_;
        begin_close(reset ? kInternalError : kNormalClosure,
                    reset ? "the target reset its connection" : "the target closed its connection");
        return TimePoint::max();
    }
    const auto idle_at = idle_since_ + options_.channel_idle;
    if (now >= idle_at) {
        ops::log_debug(kComponent, "{}: channel closed, it has had no connection for {} s",
                       mapping_name_, options_.channel_idle.count());
        begin_close(kNormalClosure, "the channel is idle");
        return TimePoint::max();
    }
    return std::min({due, linger_until_, idle_at});
}

void ServiceChannel::on_given_up(const std::shared_ptr<Connection>& connection,
                                 const std::string& why) {
    ops::log_warn(kComponent, "{}: connection {} ended, {}", mapping_name_, connection->short_id(),
                  why);
    retire_id(connection->id());
}

void ServiceChannel::on_over(ChannelEnd how, const std::string& why) {
    std::uint64_t suppressed = 0;
    if (how == ChannelEnd::clean && why == kAgentStops && entity_->notes->admit_line(suppressed)) {
        return ops::log_info(kComponent, "{}: channel closed: the client agent stops{}",
                             mapping_name_, suppressed_text(suppressed));
    }
    ops::log_debug(kComponent, "{}: channel {}{}{}", mapping_name_,
                   how == ChannelEnd::lost ? "lost" : "closed", why.empty() ? "" : ": ", why);
}

}  // namespace hpb::agent
