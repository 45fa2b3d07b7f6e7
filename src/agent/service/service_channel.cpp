#include "agent/service/service_channel.hpp"

#include <algorithm>

#include "net/dial/dial.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"
#include "v1/stranger.hpp"

namespace hpb::agent::service {
namespace {

constexpr const char* kComponent = "service";

// A TLS alert, in plain or encrypted: what an application says when it has seen its server's
// goodbye and goes. No conversation begins with it.
bool is_tls_goodbye(const v1::FrameDecoder::Piece& piece) {
    constexpr std::size_t kHeader = 5;
    constexpr unsigned kAlert = 0x15;
    constexpr unsigned kApplicationData = 0x17;
    constexpr std::size_t kSealedAlert = 19;  // level, description, type, tag (RFC 8446 5.2)
    if (!piece.frame_start || !piece.frame_end || piece.payload.size() <= kHeader) return false;
    const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(piece.payload[i]); };
    const std::size_t size = at(3) << 8 | at(4);
    if (at(1) != 3 || size != piece.payload.size() - kHeader) return false;
    return at(0) == kAlert || (at(0) == kApplicationData && size == kSealedAlert);
}

}  // namespace

ServiceChannel::ServiceChannel(net::WebSocket websocket, Options options,
                               std::shared_ptr<const ServedEntity> entity,
                               std::shared_ptr<SenderPlaces> places,
                               std::shared_ptr<ChannelRegistry> registry, Place place)
    : tunnel_v1::Channel(std::move(websocket),
                         Settings{.name = entity->path,
                                  .connection_idle = options.connection_idle,
                                  .unacknowledged = options.unacknowledged},
                         std::move(registry)),
      options_(options),
      entity_(std::move(entity)),
      places_(std::move(places)),
      share_(places_->share()->child(net::Share::kChannelFactor)),
      place_(std::move(place)),
      mapping_name_(entity_->path),
      begun_(net::Clock::now()),
      idle_since_(begun_) {}

ServiceChannel::~ServiceChannel() {
    places_->remove(this);
}

void ServiceChannel::on_bytes(ByteSpan bytes) {
    if (mapping_ == nullptr && !read_preamble(bytes)) return;
    while (const auto piece = decoder_.next(bytes)) {
        if (!piece->payload.empty()) on_piece(*piece);
    }
}

// ---- the channel's first bytes

bool ServiceChannel::read_preamble(ByteSpan& bytes) {
    const std::size_t room =
        v1::kMaxStrangerBytes - std::min(v1::kMaxStrangerBytes, opening_.size());
    opening_ += as_text(bytes.first(std::min(bytes.size(), room)));
    const auto key = preamble_.next(bytes);
    if (key) {
        const auto found = entity_->mappings.find(*key);
        if (found != entity_->mappings.end()) {
            on_mapping(found->second);
            return true;
        }
    }
    const auto stranger = v1::recognise(as_bytes(opening_));
    const bool more = !stranger || !stranger->complete;
    if (more && opening_.size() < v1::kMaxStrangerBytes) return false;
    if (stranger && stranger->program != v1::Stranger::Program::dotnet_bridge) {
        turn_away("a sender is " + describe_opening() +
                      "; this service agent serves hpb client and the .NET bridge's client agent",
                  "this listener speaks the .NET bridge's protocol");
    } else {
        const std::string wanted = std::to_string(key.value_or(0));
        turn_away("a client agent asked for configuration key " + wanted +
                      ", which has no target here (known: " + entity_->known_keys() + ")",
                  "no target for configuration key " + wanted);
    }
    return false;
}

std::string ServiceChannel::describe_opening() const {
    const auto first = as_bytes(opening_);
    const auto stranger = v1::recognise(first);
    return v1::describe(stranger.value_or(v1::Stranger{}), first);
}

void ServiceChannel::turn_away(const std::string& what, const std::string& reason) {
    if (!open()) return;
    ops::reached(ops::Limit::strangers);
    std::uint64_t suppressed = 0;
    if (entity_->notes->admit_line(suppressed)) {
        ops::log_warn(kComponent, "{}: {}; channel closed{}", entity_->path, what,
                      ops::more_since(suppressed));
    }
    begin_close(kPolicyViolation, reason);
}

void ServiceChannel::on_mapping(const ServedEntity::Mapping& mapping) {
    mapping_ = &mapping;
    mapping_name_ = mapping.notes->name();
    mapped_at_ = net::Clock::now();
    opening_ = std::string();
    ops::log_debug(kComponent, "{}: channel begins", mapping_name_);
    wake();
}

// ---- connections

void ServiceChannel::on_piece(const v1::FrameDecoder::Piece& piece) {
    any_frame_ = true;
    if (const auto connection = find(piece.id)) return connection->deliver(piece.payload);
    if (!open()) return;
    if (const auto end = ended_.find(piece.id)) return on_piece_after_end(piece, *end);
    if (draining_) return on_dropped();
    // Else the rest of a frame whose connection ended in the middle of it.
    if (piece.frame_start) open_connection(piece.id, piece.payload, std::nullopt);
}

void ServiceChannel::on_piece_after_end(const v1::FrameDecoder::Piece& piece,
                                        const tunnel_v1::EndedIds::End& end) {
    if (is_tls_goodbye(piece)) return;
    if (!end.idle || !piece.frame_start || !may_reopen(end.at, net::Clock::now()))
        return on_late_data();
    ops::log_debug(kComponent, "{}: connection {} again: its target had ended it when idle",
                   mapping_name_, piece.id.to_string().substr(0, 8));
    open_connection(piece.id, piece.payload, end.at);
}

void ServiceChannel::open_connection(const v1::ConnectionId& id, ByteSpan payload, Before before) {
    linger_until_ = TimePoint::max();
    auto connection = std::make_shared<tunnel_v1::Connection>(shared_from_this(), id, Place());
    insert(connection);
    connection->deliver(payload);
    auto self = std::static_pointer_cast<ServiceChannel>(shared_from_this());
    net::spawn(executor(), dial_target(std::move(self), std::move(connection), before));
}

net::awaitable<void> ServiceChannel::dial_target(std::shared_ptr<ServiceChannel> self,
                                                 std::shared_ptr<tunnel_v1::Connection> connection,
                                                 Before before) {
    // Whoever waits for a place costs memory that no data accounts for.
    self->on_queued(kWaitingCost);
    const bool admitted = co_await self->wait_for_turn(connection, before);
    self->on_consumed(kWaitingCost);
    if (!admitted) co_return;
    const auto& target = self->mapping_->target;
    net::DialOptions options;
    options.timeout = self->options_.connect_timeout;
    options.avoid_link_local = !self->mapping_->named_here;
    auto stream = co_await net::dial(target.host, target.port, options);
    if (!stream) {
        self->on_refused(connection, stream.error());
        co_return;
    }
    if (self->mapping_->notes->set_failing(false))
        ops::log_info(kComponent, "{}: target {} is reachable again", self->mapping_name_,
                      target.to_string());
    // What speaks against it may have become known meanwhile.
    if (before && !self->may_reopen(*before, net::Clock::now()))
        co_return self->drop_reopened(connection);
    ops::log_debug(kComponent, "{}: connection {} to {} begins", self->mapping_name_,
                   connection->short_id(), target.to_string());
    connection->keep(self->mapping_->ends->alive(connection->begun()));
    connection->attach(std::move(*stream));
}

/// @return false: the connection is over, or was refused.
net::awaitable<bool> ServiceChannel::wait_for_turn(
    std::shared_ptr<tunnel_v1::Connection> connection, Before before) {
    const auto now = net::Clock::now();
    const auto delay = places_->open_delay(now);
    if (delay > net::Clock::duration::zero()) ops::reached(ops::Limit::delayed_opens);
    auto due = now + delay;
    if (before) due = std::max(due, *before + kReopenDelay);
    if (due > now) co_await net::sleep_for(due - now);
    if (before && mapping_->ends->in_doubt(*before)) {
        const auto decided = *before + kReopenDelayInDoubt;
        if (decided > net::Clock::now()) co_await net::sleep_for(decided - net::Clock::now());
    }
    if (connection->is_over()) co_return false;
    if (before && !may_reopen(*before, net::Clock::now())) {
        drop_reopened(connection);
        co_return false;
    }
    auto ticket = co_await take_place();
    if (connection->is_over()) co_return false;
    if (!ticket) {
        ops::reached(ops::Limit::refused_targets);
        on_refused(connection, Error(errc::limit_exceeded, "too many target connections (limit " +
                                                               std::to_string(share_->limit()) +
                                                               ", in shares)"));
        co_return false;
    }
    hold_place(connection, std::move(ticket));
    co_return true;
}

// ---- places

void ServiceChannel::hold_place(const std::shared_ptr<tunnel_v1::Connection>& connection,
                                net::Share::Ticket ticket) {
    connection->hold(std::move(ticket));
    // The channel may have let it go already: then it ends by itself.
    if (find(connection->id()) != connection) return;
    track(connection);
    if (std::exchange(holds_places_, true)) return;
    const auto self = std::static_pointer_cast<ServiceChannel>(shared_from_this());
    places_->add(std::weak_ptr<PlaceHolder>(self), this, connection->last_activity());
}

/// Where the limit or a share is reached, the longest-idle connection of the same holder goes: v1
/// does not tell when an application has gone.
net::awaitable<net::Share::Ticket> ServiceChannel::take_place() {
    while (open()) {
        auto ticket = share_->try_take();
        if (ticket) co_return ticket;
        const bool own = share_->held() >= share_->allowed();
        if (own && longest_idle()) {
            give_up_longest_idle();
            continue;
        }
        const bool made = co_await room_made();
        if (!made) break;
    }
    co_return net::Share::Ticket();
}

net::awaitable<bool> ServiceChannel::room_made() {
    struct Answer {
        explicit Answer(const net::asio::any_io_executor& executor) : signal(executor) {}
        net::Signal signal;
        std::optional<bool> made;
    };
    const auto answer = std::make_shared<Answer>(executor());
    auto sender = places_->has_holders() ? places_ : entity_->places->fullest();
    if (!sender) co_return false;
    sender->make_room([answer, executor = executor()](bool made) {
        net::asio::post(executor, [answer, made] {
            answer->made = made;
            answer->signal.notify_all();
        });
    });
    while (!answer->made) co_await answer->signal.wait();
    co_return *answer->made;
}

net::Clock::time_point ServiceChannel::idle_since() {
    const auto connection = longest_idle();
    return connection ? connection->last_activity() : TimePoint::max();
}

void ServiceChannel::give_up_longest_idle() {
    const auto connection = longest_idle();
    if (!connection) return;
    ops::reached(ops::Limit::made_room);
    const auto now = net::Clock::now();
    const auto idle =
        std::chrono::duration_cast<std::chrono::milliseconds>(now - connection->last_activity());
    std::uint64_t suppressed = 0;
    if (mapping_->notes->admit_line(suppressed)) {
        ops::log_warn(kComponent,
                      "{}: connection {}, idle for {:.1f} s, was reset to make room for a new one: "
                      "this sender has its share of the {} that MaxConnections allows, and v1 does "
                      "not tell when an application has gone{}",
                      mapping_name_, connection->short_id(),
                      static_cast<double>(idle.count()) / 1000.0, share_->limit(),
                      ops::more_since(suppressed));
    }
    connection->abort();
    retire_id(connection->id(), {.idle = false, .at = now});
}

}  // namespace hpb::agent::service
