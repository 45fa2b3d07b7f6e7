#include "agent/service/service_session.hpp"

#include <algorithm>
#include <utility>

#include "agent/source_address.hpp"
#include "net/dial/dial.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::agent::service {

using session::ChannelId;
using session::OpenRefusal;
using session::StreamId;

namespace {

namespace asio = net::asio;
constexpr const char* kComponent = "service";

}  // namespace

OpenRefusal refusal_code(const Error& why) {
    const auto& code = why.code();
    if (code == asio::error::connection_refused) return OpenRefusal::connection_refused;
    if (code == asio::error::host_unreachable || code == asio::error::network_unreachable)
        return OpenRefusal::unreachable;
    if (code == asio::error::timed_out || code == make_error_code(errc::timed_out))
        return OpenRefusal::timed_out;
    if (code.category() == asio::error::get_netdb_category() ||
        code.category() == asio::error::get_addrinfo_category())
        return OpenRefusal::name_not_resolved;
    if (code == make_error_code(errc::limit_exceeded)) return OpenRefusal::limit_reached;
    return OpenRefusal::unspecified;
}

ServiceSession::ServiceSession(const asio::any_io_executor& executor,
                               std::shared_ptr<const ServiceContext> context,
                               std::shared_ptr<const ServedEntity> entity, std::string source,
                               std::shared_ptr<SenderPlaces> places, session::Session& core,
                               std::function<void(const session::SessionId&)> on_over)
    : tunnel_v2::SessionDriver(executor,
                               Settings{.name = entity->path,
                                        .component = kComponent,
                                        .connection_idle = context->options.connection_idle,
                                        .unacknowledged = context->options.unacknowledged},
                               context->registry, context->metrics),
      context_(std::move(context)),
      entity_(std::move(entity)),
      places_(std::move(places)),
      share_(places_->share()->child(net::Share::kChannelFactor)),
      source_(std::move(source)),
      on_over_(std::move(on_over)) {
    use(core);
}

void ServiceSession::begin_channel(net::WebSocket websocket, ChannelId channel, Place place,
                                   ByteSpan early) {
    add_link(std::move(websocket), channel, std::move(place));
    // What a client has sent before WELCOME is its own fault, but no reason to lose bytes.
    if (!early.empty() && !on_link_bytes(channel, early)) {
        on_link_over(channel, "its first bytes were invalid");
    } else {
        pump();
    }
}

void ServiceSession::on_channel_open(ChannelId, const std::string&) {}
void ServiceSession::on_channel_refused(ChannelId, session::HelloRefusal, const std::string&) {}
void ServiceSession::on_channel_gone(ChannelId, bool) {}
void ServiceSession::on_stream_accepted(StreamId) {}
void ServiceSession::on_stream_refused(StreamId, OpenRefusal, const std::string&) {}
void ServiceSession::on_stream_gone(StreamId) {}

void ServiceSession::on_pumped() {
    const std::uint64_t unused = core().stats().streams_unused;
    if (unused == charged_) return;
    context_->dial_debts->add(source_, unused - std::exchange(charged_, unused), net::Clock::now());
}

void ServiceSession::on_stream_opened(StreamId stream, const session::OpenInfo& open) {
    const auto found = entity_->mappings.find(open.key);
    if (found == entity_->mappings.end()) return refuse_key(stream, open);
    const auto wait = context_->dial_debts->wait(source_, net::Clock::now());
    if (wait > net::Clock::duration::zero()) {
        ops::reached(ops::Limit::delayed_dials);
        return dial_later({net::Clock::now() + wait, stream, open});
    }
    begin_dial(stream, open, found->second);
}

// One timer for all: whoever opens and resets without end would have tens of thousands. Streams
// that have ended meanwhile are forgotten from time to time, so that no more are kept than twice
// those that live.
void ServiceSession::dial_later(const DelayedDial& dial) {
    if (delayed_.size() >= forget_at_) {
        std::erase_if(delayed_, [this](const auto& one) { return !is_wanted(one.stream); });
        forget_at_ = std::max(kForgetAt, 2 * delayed_.size());
    }
    delayed_.push_back(dial);
    if (std::exchange(dials_delayed_, true)) return;
    net::spawn(executor(),
               dial_delayed(std::static_pointer_cast<ServiceSession>(shared_from_this())));
}

net::awaitable<void> ServiceSession::dial_delayed(std::shared_ptr<ServiceSession> self) {
    while (!self->delayed_.empty() && !self->is_over()) {
        const auto wait = self->delayed_.front().due - net::Clock::now();
        if (wait > net::Clock::duration::zero()) {
            co_await net::sleep_for(wait);
            continue;  // it may have been forgotten meanwhile
        }
        const DelayedDial dial = self->delayed_.front();
        self->delayed_.pop_front();
        if (!self->is_wanted(dial.stream)) continue;
        self->begin_dial(dial.stream, dial.open, self->entity_->mappings.at(dial.open.key));
        self->pump();
    }
    self->dials_delayed_ = false;
    self->delayed_.clear();
}

bool ServiceSession::is_wanted(StreamId stream) {
    if (is_over()) return false;
    const auto* opened = core().find_stream(stream);
    return opened != nullptr && opened->state == session::Stream::State::live;
}

void ServiceSession::begin_dial(StreamId stream, const session::OpenInfo& open,
                                const ServedEntity::Mapping& mapping) {
    auto ticket = share_->try_take();
    if (!ticket) {
        ops::reached(ops::Limit::refused_targets);
        return refuse(
            stream, mapping,
            Error(errc::limit_exceeded, "too many target connections (limit " +
                                            std::to_string(share_->limit()) + ", in shares)"));
    }
    ops::log_debug(kComponent, [&] {
        return fmt::format("{}: connection {} from {} to {} begins", mapping.notes->name(),
                           label(stream), to_text(open.source), mapping.target.to_string());
    });
    net::spawn(executor(), dial_target(std::static_pointer_cast<ServiceSession>(shared_from_this()),
                                       stream, &mapping, std::move(ticket)));
}

net::awaitable<void> ServiceSession::dial_target(std::shared_ptr<ServiceSession> self,
                                                 StreamId stream,
                                                 const ServedEntity::Mapping* mapping,
                                                 Place place) {
    co_await net::give_way();  // what came behind OPEN may have ended the stream again
    if (!self->is_wanted(stream)) co_return;
    net::DialOptions options;
    options.timeout = self->context_->options.connect_timeout;
    options.avoid_link_local = !mapping->named_here;
    auto socket = co_await net::dial(mapping->target.host, mapping->target.port, options);
    if (self->is_over()) co_return;
    if (!socket && socket.error().code() == asio::error::connection_reset) {
        // Not a refusal: it was connected, and reset in the same moment.
        ops::log_debug(kComponent, "{}: connection {}: target {} reset it at once",
                       mapping->notes->name(), self->label(stream), mapping->target.to_string());
        self->core().reset(stream);
    } else if (!socket) {
        self->refuse(stream, *mapping, socket.error());
    } else if (self->core().accept(stream)) {
        if (mapping->notes->set_failing(false))
            ops::log_info(kComponent, "{}: target {} is reachable again", mapping->notes->name(),
                          mapping->target.to_string());
        self->add_socket(stream, std::move(*socket), std::move(place));
    } else {
        // The application has gone meanwhile: to the target that is a reset, as it was here.
        socket->reset_on_close();
    }
    self->pump();
}

void ServiceSession::refuse(StreamId stream, const ServedEntity::Mapping& mapping,
                            const Error& why) {
    const std::string target = mapping.target.to_string();
    const std::string text = why.code() == asio::error::connection_refused
                                 ? "refused by " + target + " (connection refused)"
                                 : target + ": " + why.message();
    std::uint64_t suppressed = 0;
    (void)mapping.notes->set_failing(true);
    if (mapping.notes->admit_line(suppressed)) {
        ops::log_warn(kComponent, "{}: connection {}: {}{}", mapping.notes->name(), label(stream),
                      text, ops::more_since(suppressed));
    }
    (void)core().refuse(stream, refusal_code(why), text);
}

void ServiceSession::refuse_key(StreamId stream, const session::OpenInfo& open) {
    const std::string text =
        "no target for configuration key " + std::to_string(open.key) + " of " + entity_->path;
    std::uint64_t suppressed = 0;
    if (entity_->notes->admit_line(suppressed)) {
        ops::log_warn(kComponent, "{}: connection {} from {}: {} (known: {}){}", entity_->path,
                      label(stream), to_text(open.source), text, entity_->known_keys(),
                      ops::more_since(suppressed));
    }
    (void)core().refuse(stream, OpenRefusal::no_such_key, text);
}

void ServiceSession::on_session_ended(session::errc code) {
    if (!session::ends_session(code)) return;
    if (const auto more = metrics()->broken_lines.admit(source_))
        ops::log_error(kComponent,
                       "{}: session {} ended, the client agent broke the protocol: {}{}",
                       entity_->path, short_id(), session::describe(code), *more);
}

void ServiceSession::on_over() {
    on_over_(core().id());
}

}  // namespace hpb::agent::service
