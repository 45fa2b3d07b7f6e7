#include "relay/sender_request.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "hc/control_message.hpp"
#include "net/slab.hpp"
#include "ops/limits.hpp"
#include "relay/control_channel.hpp"
#include "websocket/handshake.hpp"

namespace hpb::relay {
namespace {

constexpr std::string_view kAllowedListeners = "Microsoft-Relay-AllowedListeners";
constexpr std::string_view kDisallowedListeners = "Microsoft-Relay-DisallowedListeners";
constexpr std::chrono::seconds kAnswerLimit{10};
/// Listener ids that an affinity header may name: as many as an entity can have.
constexpr std::size_t kMaxAffinityIds = 64;

std::vector<std::string> id_list(std::string_view header) {
    std::vector<std::string> ids;
    for (const auto piece : split(header, ',')) {
        const auto id = trim(piece);
        if (id.empty()) continue;
        if (ids.size() >= kMaxAffinityIds) {
            ops::reached(ops::Limit::cut_affinity_lists);
            break;
        }
        ids.emplace_back(id);
    }
    return ids;
}

/// All headers of the sender that are for the listener, several values of one name joined.
std::vector<std::pair<std::string, std::string>> headers_for_listener(const http::Headers& headers,
                                                                      bool strip_authorization) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& [name, value] : headers.all()) {
        // The relay's own: a token must not reach the listener.
        if (iequals(name, "ServiceBusAuthorization") || iequals(name, kAllowedListeners) ||
            iequals(name, kDisallowedListeners) ||
            (strip_authorization && iequals(name, "Authorization"))) {
            continue;
        }
        const auto same = std::find_if(out.begin(), out.end(),
                                       [&](const auto& h) { return iequals(h.first, name); });
        if (same == out.end()) {
            out.emplace_back(name, printable(value, value.size()));
        } else {
            same->second += ", " + printable(value, value.size());
        }
    }
    return out;
}

std::size_t size_of(const std::vector<std::pair<std::string, std::string>>& headers) {
    std::size_t size = 0;
    for (const auto& [name, value] : headers) size += name.size() + value.size();
    return size;
}

}  // namespace

SenderRequest::SenderRequest(Connection& connection)
    : connection_(connection),
      options_(connection.context().options),
      deadline_(net::Clock::now() + options_.rendezvous_timeout) {}

net::awaitable<void> SenderRequest::run() {
    const auto entity = authorize();
    if (!entity) co_return co_await connection_.refuse(entity.error());
    if (!take_places(**entity)) {
        const Refusal refusal{503, "Too many connections are relayed for this sender"};
        co_return co_await connection_.refuse(refusal);
    }
    const auto& headers = connection_.request().head.headers;
    affinity_ = {id_list(headers.get(kAllowedListeners)),
                 id_list(headers.get(kDisallowedListeners))};
    Settled settled = co_await find_listener(*entity);
    if (!settled) co_return;
    if (!*settled) co_return co_await connection_.refuse(settled->error());
    RendezvousArrival arrival = std::move(settled->value());
    arrival.ticket = std::move(listener_place_);
    co_await join(std::move(arrival));
}

Checked<std::shared_ptr<Entity>> SenderRequest::authorize() {
    const auto match = connection_.context().registry.find(connection_.request().path);
    const bool anonymous = match && !match->entity->options.requires_client_authorization;
    if (!anonymous) {
        const Entity* entity = match ? match->entity.get() : nullptr;
        const auto grant = connection_.check(Right::send, entity);
        if (!grant) return grant.error();
    }
    if (!match) return Refusal{404, "Endpoint does not exist"};
    return match->entity;
}

// A sender pays for both connections of its rendezvous: what many senders want of one listener is
// not the listener's doing.
bool SenderRequest::take_places(const Entity& entity) {
    const auto share = connection_.context()
                           .connections->child("/" + entity.options.path, net::Share::kEntityFactor)
                           ->child(connection_.source(), net::Share::kSourceFactor);
    ConnectionTicket own = share->try_take();
    listener_place_ = share->try_take();
    if (own && listener_place_) {
        connection_.set_ticket(std::move(own));
        return true;
    }
    note_refused_connection(*connection_.context().connections);
    return false;
}

net::awaitable<SenderRequest::Settled> SenderRequest::find_listener(
    std::shared_ptr<Entity> entity) {
    const auto executor = connection_.stream().executor();
    auto& registry = connection_.context().registry;
    // Another listener is tried when the chosen one is lost or takes no announcement. They are held
    // here, so that none is mistaken for another one at the same address.
    Registry::Listeners passed_over;
    for (std::size_t attempt = 0; attempt <= options_.max_listeners; ++attempt) {
        auto listener = registry.pick_listener(*entity, affinity_, passed_over);
        if (!listener) co_return Settled(listener.error());
        auto sender = std::make_shared<PendingSender>(executor);
        const auto key = registry.add_pending(sender, **listener, *entity, connection_.source());
        if (!key) {
            ops::reached(ops::Limit::refused_senders);
            co_return Settled(Refusal{503, "Too many senders wait for a listener"});
        }
        auto announcement = make_announcement(**listener, *key);
        if (!announcement) {
            (void)registry.take_pending(*key);
            co_return Settled(announcement.error());
        }
        auto watch = std::make_shared<Watch>(connection_.stream());
        net::spawn(executor, watch_connection(watch, sender));
        (*listener)->announce(std::move(*announcement), sender);

        PendingSender::Outcome outcome = co_await wait_for(*sender, *watch);
        (void)registry.take_pending(*key);  // the address is good for nothing from here on
        co_await stop_watching(*watch, *sender);
        auto& early = connection_.request().early;
        early.insert(early.end(), watch->early.begin(), watch->early.end());
        if (watch->gone) co_return Settled();
        if (auto* arrival = std::get_if<RendezvousArrival>(&outcome)) {
            listener_id_ = (*listener)->id();
            co_return Settled(std::move(*arrival));
        }
        if (const auto* rejection = std::get_if<RendezvousRejection>(&outcome)) {
            co_return Settled(Refusal{rejection->status, rejection->description, true});
        }
        if (outcome.index() == 0) {
            ops::reached(ops::Limit::unaccepted_senders);
            break;
        }
        passed_over.push_back(std::move(*listener));
    }
    co_return Settled(Refusal{
        404, "None of the connected listeners accepted the connection within the allowed timeout"});
}

net::awaitable<PendingSender::Outcome> SenderRequest::wait_for(PendingSender& sender,
                                                               Watch& watch) {
    while (sender.outcome().index() == 0 && !watch.gone && net::Clock::now() < deadline_) {
        (void)co_await sender.changed().wait_until(deadline_);
    }
    co_return sender.take_outcome();
}

// Notices a sender that goes away, and keeps what one sends too early.
net::awaitable<void> SenderRequest::watch_connection(std::shared_ptr<Watch> watch,
                                                     std::shared_ptr<PendingSender> sender) {
    net::Slab slab;
    while (!watch->stop && watch->early.size() < kMaxEarlyBytes) {
        const auto read = co_await watch->stream.read_some(slab);
        if (!read || *read == 0) {
            watch->gone = !watch->stop;
            break;
        }
        const auto bytes = slab.span().first(*read);
        watch->early.insert(watch->early.end(), bytes.begin(), bytes.end());
        slab.release();
    }
    watch->ended = true;
    sender->changed().notify_all();
}

net::awaitable<void> SenderRequest::stop_watching(Watch& watch, PendingSender& sender) {
    watch.stop = true;
    connection_.stream().cancel();
    while (!watch.ended) co_await sender.changed().wait();
}

Checked<std::string> SenderRequest::make_announcement(const ControlChannel& listener,
                                                      const std::string& key) {
    const auto& request = connection_.request();
    const std::string query = hc::strip_relay_parameters(request.target.query);
    std::string path = request.target.path;
    if (!hc::is_hybrid_connection_path(path)) path = "/$hc" + path;
    hc::AcceptMessage message;
    message.address = listener.public_base() + path + "?" + (query.empty() ? "" : query + "&") +
                      "sb-hc-action=accept&sb-hc-id=" + request.tracking_id + "&sb-hc-rv=" + key;
    message.id = request.tracking_id;
    const auto entity = connection_.context().registry.find(request.path);
    const bool evaluated = entity && entity->entity->options.requires_client_authorization;
    message.connect_headers =
        headers_for_listener(request.head.headers, hides_authorization(request.token, evaluated));
    message.remote_address = connection_.peer().address().to_string();
    message.remote_port = connection_.peer().port();
    if (size_of(message.connect_headers) > hc::kMaxConnectHeadersSize) {
        ops::reached(ops::Limit::large_announcements);
        return Refusal{431, "The request's headers are too large to be passed on"};
    }
    auto text = hc::serialize(message);
    if (!text) {
        ops::reached(ops::Limit::large_announcements);
        return Refusal{431, "The request's address and headers are too large to be passed on"};
    }
    return std::move(*text);
}

// Answers both sides, the listener first: the sender's 101 means that the listener is there.
net::awaitable<void> SenderRequest::join(RendezvousArrival arrival) {
    auto& sender = connection_.stream();
    net::Stream listener = net::Stream::attach(sender.executor(), std::move(arrival.connection));
    const auto chosen = websocket::offered_subprotocols(arrival.request.headers);
    const std::string for_listener = chosen.empty() ? "" : chosen.front();
    const auto offered = websocket::offered_subprotocols(connection_.request().head.headers);
    const bool was_offered =
        std::find(offered.begin(), offered.end(), for_listener) != offered.end();
    const std::string for_sender = was_offered ? for_listener : "";

    const std::string listener_answer =
        http::serialize(websocket::make_upgrade_response(arrival.request, for_listener));
    const std::string sender_answer =
        http::serialize(websocket::make_upgrade_response(connection_.request().head, for_sender));
    {
        const net::Deadline listener_limit(listener, kAnswerLimit);
        const net::Deadline sender_limit(sender, kAnswerLimit);
        const auto told_listener = co_await listener.write(as_bytes(listener_answer));
        if (listener_limit.expired()) ops::reached(ops::Limit::unread_answers);
        if (!told_listener) {
            const Refusal refusal{404, "The listener was lost while it accepted the connection"};
            co_return co_await connection_.refuse(refusal);
        }
        const auto told_sender = co_await sender.write(as_bytes(sender_answer));
        if (sender_limit.expired()) ops::reached(ops::Limit::unread_answers);
        if (!told_sender) {
            listener.reset_on_close();
            co_return;
        }
    }
    auto visit = std::make_unique<RelayLog::Visit>(connection_.context().log, connection_.peer(),
                                                   connection_.request().path, connection_.rule(),
                                                   listener_id_);
    // The threads take turns by rendezvous. By connection they would not: those of senders and of
    // listeners often alternate, and then one thread would have all the pairs.
    Rendezvous::start(connection_.context().pool.next().get_executor(),
                      {sender.detach(), connection_.take_ticket(),
                       std::move(connection_.request().early), std::move(visit)},
                      {listener.detach(), std::move(arrival.ticket), std::move(arrival.early)},
                      options_);
}

}  // namespace hpb::relay
