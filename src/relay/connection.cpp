#include "relay/connection.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "hc/runtime_info.hpp"
#include "hc/tracking_id.hpp"
#include "net/socket_options.hpp"
#include "net/source.hpp"
#include "net/websocket/websocket.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"
#include "relay/client_address.hpp"
#include "relay/control_channel.hpp"
#include "relay/pending_sender.hpp"
#include "relay/sender_request.hpp"
#include "websocket/handshake.hpp"

namespace hpb::relay {
namespace {

constexpr std::chrono::seconds kResponseLimit{10};
constexpr std::chrono::seconds kLingerAfterRefusal{2};
/// docs/protocol.md, "Keep-alive of a control channel".
constexpr const char* kKeepAliveHeader = "Hpb-Keep-Alive";
/// docs/protocol.md, "The same listener again".
constexpr const char* kInstanceHeader = "Hpb-Instance";
constexpr std::size_t kMaxIdSize = 128;

// The host goes into rendezvous addresses, so it is more than text.
bool is_plausible_host(std::string_view host) {
    return !host.empty() && host.size() <= 300 && std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view(".-_:[]").find(c) != std::string_view::npos;
    });
}

}  // namespace

Connection::Connection(RelayContext& context, Handshakes& handshakes, net::Stream stream,
                       ConnectionTicket ticket, const net::tcp::endpoint& peer)
    : context_(context),
      handshakes_(handshakes),
      stream_(std::move(stream)),
      ticket_(std::move(ticket)),
      accepted_from_(peer),
      through_proxy_(is_in(context.options.trusted_proxies, peer.address())),
      peer_(peer),
      source_(net::source_key(peer.address())) {}

net::awaitable<void> Connection::serve(std::shared_ptr<Connection> self) {
    net::set_connection_options(self->stream_.descriptor());
    const bool complete = co_await self->read_request();
    if (complete) co_await self->route();
}

net::awaitable<void> Connection::route() {
    if (!take_client_place()) {
        co_return co_await refuse({503, "Too many connections from this address"});
    }
    if (const auto fault = http::find_ambiguity(request_.head); !fault.empty()) {
        co_return co_await refuse({400, std::string(fault)});
    }
    if (!request_.has_path) {
        co_return co_await refuse({400, "The request's path is malformed"});
    }
    if (!is_plausible_host(request_.head.headers.get("Host"))) {
        co_return co_await refuse({400, "The Host header is missing or malformed"});
    }
    switch (request_.kind) {
        case Kind::websocket:
            co_return co_await serve_websocket();
        case Kind::management:
            co_return co_await serve_management();
        case Kind::http:
            co_return co_await serve_http();
    }
}

// Not served yet. Listeners for HTTP come online all the same, so the log has to say it.
net::awaitable<void> Connection::serve_http() {
    const auto match = context_.registry.find(request_.path);
    if (match && context_.registry.listener_count(*match->entity) > 0 &&
        !match->entity->http_reported.exchange(true)) {
        ops::log_warn("relay",
                      "refused an HTTP request for {} with 501: this relay carries WebSocket "
                      "connections only; the listeners there get no HTTP requests (said once)",
                      match->entity->options.path);
    }
    co_await refuse(
        {501, "HTTP requests are not relayed by this relay; use a WebSocket connection"});
}

net::awaitable<void> Connection::serve_websocket() {
    if (const auto valid = websocket::check_upgrade_request(request_.head); !valid) {
        const Refusal refusal{400, valid.error().message()};
        co_return co_await refuse(refusal);
    }
    const auto action =
        hc::query_parameter(request_.target.query, "sb-hc-action").value_or("connect");
    if (iequals(action, "listen")) co_return co_await serve_listener();
    if (iequals(action, "accept")) co_return co_await serve_rendezvous();
    if (iequals(action, "connect")) co_return co_await serve_sender();
    if (iequals(action, "request")) {
        const Refusal refusal{501, "HTTP requests are not relayed by this relay"};
        co_return co_await refuse(refusal);
    }
    const Refusal refusal{400,
                          "The value of sb-hc-action is not listen, accept, connect or request"};
    co_await refuse(refusal);
}

Checked<Grant> Connection::check(Right right, const Entity* entity) {
    const AccessRequest access{.token = request_.token.text,
                               .right = right,
                               .request_path = request_.path,
                               .host_names = context_.host_names,
                               .host = request_.host,
                               .now = unix_now(),
                               .skew = context_.options.clock_skew.count()};
    std::span<const config::AccessRule> entity_rules;
    if (entity != nullptr) entity_rules = entity->options.access_rules;
    auto grant = check_access(access, entity_rules, context_.options.access_rules);
    if (grant) {
        rule_ = grant->rule;
    } else if (const auto named = hc::parse_sas_token(request_.token.text)) {
        rule_ = printable(named->key_name, 80);
    }
    return grant;
}

std::chrono::seconds Connection::agreed_keep_alive() const {
    const auto asked = parse_int(request_.head.headers.get(kKeepAliveHeader));
    if (!asked) return std::chrono::seconds(0);
    const long long most = context_.options.ping_interval.count();
    return std::chrono::seconds(std::clamp<long long>(*asked, 1, most));
}

net::awaitable<void> Connection::serve_listener() {
    const auto match = context_.registry.find(request_.path);
    Entity* entity = match ? match->entity.get() : nullptr;
    // Rights first, existence second: nobody without a key learns which names exist.
    const auto grant = check(Right::listen, entity);
    if (!grant) co_return co_await refuse_listener(grant.error());
    if (entity == nullptr || !match->suffix.empty()) {
        const Refusal refusal{404, "Endpoint does not exist"};
        co_return co_await refuse_listener(refusal);
    }
    std::string id = hc::query_parameter(request_.target.query, "sb-hc-id").value_or("");
    if (id.empty() || id.size() > kMaxIdSize) id = hc::make_guid();
    id = printable(id);

    // Later renewals are judged like this request, but against the entity alone.
    TokenCheck check_renewal = [entity = match->entity, host = request_.host,
                                &context = context_](std::string_view token) {
        const AccessRequest renewal{.token = token,
                                    .right = Right::listen,
                                    .request_path = entity->options.path,
                                    .host_names = context.host_names,
                                    .host = host,
                                    .now = unix_now(),
                                    .skew = context.options.clock_skew.count()};
        return check_access(renewal, entity->options.access_rules, context.options.access_rules);
    };
    const auto keep_alive = agreed_keep_alive();
    const auto instance = request_.head.headers.get(kInstanceHeader);
    http::ResponseHead response = websocket::make_upgrade_response(request_.head, "");
    if (keep_alive.count() > 0)
        response.headers.add(kKeepAliveHeader, std::to_string(keep_alive.count()));
    net::WebSocket socket(std::move(stream_), websocket::Role::server, request_.early);
    auto channel = std::make_shared<ControlChannel>(
        std::move(socket), context_.registry, match->entity, context_.options, id,
        std::string(instance.substr(0, kMaxIdSize)),
        context_.public_address.base(request_.head, accepted_from_), *grant,
        std::move(check_renewal), keep_alive, ListenerLog{context_.log, peer_});
    if (!context_.registry.add_listener(*entity, channel)) {
        ops::reached(ops::Limit::refused_listeners);
        stream_ = std::move(channel->stream());
        const Refusal refusal{403, "MaximumListenersPerEndpoint: The endpoint has " +
                                       std::to_string(context_.options.max_listeners) +
                                       " listeners already"};
        co_return co_await refuse_listener(refusal);
    }
    co_await channel->run(http::serialize(response));
}

net::awaitable<void> Connection::serve_rendezvous() {
    const auto& query = request_.target.query;
    const auto key = hc::query_parameter(query, "sb-hc-rv");
    auto sender = key ? context_.registry.take_pending(*key) : nullptr;
    if (!sender) {
        const Refusal refusal{403, "The rendezvous address is not valid or no longer valid"};
        co_return co_await refuse(refusal);
    }
    const auto status = hc::query_parameter(query, "sb-hc-statusCode");
    if (!status) {
        RendezvousArrival arrival{.connection = stream_.detach(),
                                  .ticket = std::move(ticket_),
                                  .request = std::move(request_.head),
                                  .early = std::move(request_.early)};
        PendingSender::deliver(sender, std::move(arrival));
        co_return;
    }
    const auto code = parse_int(*status);
    const bool valid = code && *code >= 100 && *code <= 999;
    RendezvousRejection rejection;
    // An interim status would break the sender's exchange.
    rejection.status = !valid || *code < 200 ? 400u : static_cast<unsigned>(*code);
    rejection.description =
        hc::query_parameter(query, "sb-hc-statusDescription", hc::Plus::is_space).value_or("");
    PendingSender::deliver(sender, std::move(rejection));
    const Refusal refusal{valid ? 410u : 400u, valid ? "The sender was rejected as requested"
                                                     : "sb-hc-statusCode must be from 100 to 999"};
    co_await refuse(refusal);
}

net::awaitable<void> Connection::serve_sender() {
    SenderRequest sender(*this);
    co_await sender.run();
}

net::awaitable<void> Connection::serve_management() {
    if (request_.head.method != "GET" && request_.head.method != "HEAD") {
        co_return co_await refuse(
            {405,
             "The hybrid connections of this relay are configured in its file; runtime "
             "information is read with GET"});
    }
    const auto match = context_.registry.find(request_.path);
    const Entity* entity = match ? match->entity.get() : nullptr;
    const auto grant = check(Right::any, entity);
    if (!grant) co_return co_await refuse(grant.error());
    if (entity == nullptr || !match->suffix.empty()) {
        const Refusal refusal{404, "Endpoint does not exist"};
        co_return co_await refuse(refusal);
    }
    const hc::RuntimeInformation info{
        .created_at = entity->created_at,
        .updated_at = entity->created_at,
        .requires_client_authorization = entity->options.requires_client_authorization,
        .has_user_metadata = entity->options.has_user_metadata,
        .user_metadata = entity->options.user_metadata,
        .listener_count = context_.registry.listener_count(*entity)};
    const http::ResponseHead head{.status = 200, .reason = "OK", .headers = {}};
    co_await respond(closing_response(
        head, request_.head.method, "application/atom+xml;type=entry;charset=utf-8",
        hc::to_atom_entry(info, request_.head.headers.get("Host"), entity->options.path)));
}

/// What was refused, in an operator's words.
std::string Connection::asked_for() const {
    const std::string path = printable(request_.path, 200);
    if (websocket::is_upgrade(request_.head)) {
        const auto action =
            hc::query_parameter(request_.target.query, "sb-hc-action").value_or("connect");
        if (iequals(action, "listen")) return "a listener on " + path;
        if (iequals(action, "accept")) return "a rendezvous on " + path;
        if (iequals(action, "connect")) return "a sender to " + path;
    }
    if (request_.head.method.empty()) return "a request";
    return printable(request_.head.method, 20) + " of /" + path;
}

net::awaitable<void> Connection::refuse(Refusal refusal) {
    context_.log->refused(peer_, asked_for(), refusal.status, printable(refusal.sentence, 300),
                          rule_, request_.tracking_id);
    const RefusedRequest refused{
        .method = request_.head.method,
        .tracking_id = request_.tracking_id,
        .host = request_.host.empty() ? std::string_view("relay") : request_.host,
        .entity = request_.path};
    const Body body = request_.kind == Kind::websocket    ? Body::text
                      : request_.kind == Kind::management ? Body::xml
                                                          : Body::json;
    co_await respond(refusal_response(refusal, refused, body));
}

net::awaitable<void> Connection::refuse_listener(Refusal refusal) {
    {
        const auto share = context_.delayed_refusals->child(source_, net::Share::kSourceFactor);
        const auto delayed = share->try_take();
        if (!delayed) ops::reached(ops::Limit::undelayed_refusals);
        if (delayed) co_await net::sleep_for(context_.options.refusal_delay);
    }
    co_await refuse(std::move(refusal));
}

net::awaitable<void> Connection::respond(std::string response) {
    {
        const net::Deadline deadline(stream_, kResponseLimit);
        const auto sent = co_await stream_.write(as_bytes(response));
        if (deadline.expired()) ops::reached(ops::Limit::unread_answers);
        if (!sent) co_return;
    }
    co_await stream_.close_gracefully(kLingerAfterRefusal);
}

}  // namespace hpb::relay
