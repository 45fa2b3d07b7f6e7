#include "agent/relay_dialer.hpp"

#include <algorithm>

#include "base/error_category.hpp"
#include "base/text.hpp"
#include "hc/percent.hpp"
#include "hc/rendezvous_host.hpp"
#include "hc/sas_token.hpp"
#include "hc/tracking_id.hpp"
#include "net/dial/address_memory.hpp"
#include "ops/limits.hpp"

namespace hpb::agent {
namespace {

/// The relay lets a sender wait for a listener for up to 30 s; our limit must be longer.
constexpr std::chrono::milliseconds kConnectAnswerLimit{40000};
constexpr std::chrono::milliseconds kRendezvousLimit{10000};
/// A connection that a dying path has swallowed is given up after this and dialled once more, well
/// within the half minute for which the sender waits.
constexpr std::chrono::milliseconds kRendezvousFirstTry{5000};
/// Where the relay's name has further addresses, the answer to an upgrade is late after this.
constexpr std::chrono::milliseconds kAnswerBeforeNext{5000};
/// Longer intervals are no use as a keep-alive.
constexpr long long kMaxKeepAliveSeconds = 3600;
/// docs/protocol.md, "Keep-alive of a control channel".
constexpr const char* kKeepAliveHeader = "Hpb-Keep-Alive";
/// docs/protocol.md, "The same listener again".
constexpr const char* kInstanceHeader = "Hpb-Instance";
constexpr const char* kUserAgent = "hpb/" HPB_VERSION;

/// A sender's: tells a service agent what has been offered, also where the header that offers it is
/// lost on the way.
std::string user_agent(const std::vector<std::string>& subprotocols) {
    std::string text = kUserAgent;
    for (const auto& name : subprotocols) text += (text == kUserAgent ? " (offers " : ", ") + name;
    return subprotocols.empty() ? text : text + ")";
}

std::int64_t unix_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

Error dial_error(const Error& error) {
    const bool certificate = net::is_certificate_error(error);
    return {certificate ? relay_errc::bad_certificate : relay_errc::unreachable, error.message()};
}

/// A server with TLS may end a connection that speaks plain HTTP without a word.
std::string plain_advice(const hc::RelayAddress& relay, const Error& error) {
    const bool ended = error.code() == net::asio::error::connection_reset ||
                       error.code() == make_error_code(http::errc::truncated);
    if (relay.secure || !ended) return "";
    return "; if the relay speaks TLS, write sb:// or https:// instead of http://";
}

/// Of a relay that has taken the connection and then gave no answer that makes sense.
Error answer_error(const hc::RelayAddress& relay, const Error& error) {
    const bool unreadable = error.code().category() == make_error_code(http::errc{}).category();
    return {unreadable ? relay_errc::no_description : relay_errc::unreachable,
            "relay " + relay.authority() + ": " + error.message() + plain_advice(relay, error)};
}

// Asking for the next message over an unprotected connection is not the relay's to decide. A relay
// behind a proxy that ends TLS may not know of it: to its own host TLS is spoken in any case.
Result<hc::RendezvousUrl> parse_rendezvous(const std::string& url,
                                           const config::RelayAccess& access) {
    const hc::RelayAddress& relay = access.address;
    auto parsed = hc::parse_rendezvous_url(url);
    if (!parsed) {
        return Error(relay_errc::bad_address,
                     "the relay sent an invalid address: " + parsed.error().message());
    }
    if (!hc::may_send_to(parsed->relay.host, relay.host, access.rendezvous_hosts)) {
        ops::reached(ops::Limit::forbidden_addresses);
        return Error(relay_errc::bad_address,
                     "the relay sent the address of another host, " +
                         printable(parsed->relay.host, 100) +
                         ", which is not dialled; if it is the relay's, name it in "
                         "ServiceNamespace:RendezvousHosts");
    }
    if (relay.secure && !hc::protect(parsed->relay, relay)) {
        return Error(relay_errc::bad_address,
                     "the relay sent an address without TLS, which is not opened");
    }
    return parsed;
}

/// A relay that looks for the token in the query only: says so, or that there is none.
bool wants_token_in_query(const http::ResponseHead& response) {
    constexpr unsigned kUnauthorized = 401;
    const std::string reason = to_lower(response.reason);
    const auto says = [&](const char* word) { return reason.find(word) != std::string::npos; };
    return response.status == kUnauthorized &&
           (says("sb-hc-token") || (says("token") && (says("missing") || says("no token"))));
}

void add_token_to_query(net::UpgradeRequest& request) {
    const std::string token(request.headers.get("ServiceBusAuthorization"));
    if (!token.empty()) request.target += "&sb-hc-token=" + hc::form_encode(token);
}

net::UpgradeRequest rendezvous_request(const hc::RendezvousUrl& url) {
    net::UpgradeRequest request;
    request.host = url.relay.authority();
    request.target = url.target;
    return request;
}

}  // namespace

boost::system::error_code make_error_code(relay_errc e) {
    static const ErrorCategory category{
        "relay", [](int value) -> const char* {
            switch (static_cast<relay_errc>(value)) {
                case relay_errc::unreachable:
                    return "the relay cannot be reached";
                case relay_errc::refused:
                    return "the relay refused";
                case relay_errc::throttled:
                    return "the relay is overloaded";
                case relay_errc::not_authorised:
                    return "the relay did not accept the token";
                case relay_errc::no_such_entity:
                    return "the hybrid connection does not exist";
                case relay_errc::no_such_listener:
                    return "the service agent asked for is not connected to the relay";
                case relay_errc::no_description:
                    return "the relay does not describe the hybrid connection";
                case relay_errc::bad_certificate:
                    return "the relay's certificate is not accepted";
                case relay_errc::bad_address:
                    return "the relay sent an unusable address";
            }
            return "unknown error";
        }};
    return {static_cast<int>(e), category};
}

bool is_permanent(const Error& error) {
    const auto& code = error.code();
    return code == make_error_code(relay_errc::not_authorised) ||
           code == make_error_code(relay_errc::no_such_entity) ||
           code == make_error_code(relay_errc::bad_certificate) ||
           code == make_error_code(errc::invalid_argument);
}

RelayDialer::RelayDialer(config::RelayAccess access) : access_(std::move(access)) {}

Result<std::shared_ptr<const RelayDialer>> RelayDialer::create(const config::RelayAccess& access,
                                                               const char* component) {
    auto dialer = std::make_shared<RelayDialer>(access);
    if (access.address.secure) {
        const auto decision =
            net::decide_tls({access.tls.openssl_records, access.tls.openssl_cipher});
        const auto policy = decision.policy;
        auto tls = access.ca_pem.empty() ? net::TlsClientContext::create(access.ca_file, policy)
                                         : net::TlsClientContext::from_pem(access.ca_pem, policy);
        if (!tls) return tls.error();
        dialer->tls_.emplace(std::move(*tls));
        net::log_tls(decision, component);
    }
    const auto& proxy = access.proxy;
    if (!proxy.host.empty())
        dialer->proxy_ = net::Proxy{proxy.host, proxy.port, proxy.user, proxy.password};
    return std::shared_ptr<const RelayDialer>(std::move(dialer));
}

std::string RelayDialer::token(const std::string& entity) const {
    if (!access_.signature.empty()) return access_.signature;
    if (!has_credentials()) return "";
    const std::string audience = hc::audience_for(access_.address.host, hc::escape_path(entity));
    return hc::make_sas_token(audience, access_.key_name, access_.key,
                              unix_now() + kTokenLifetime.count());
}

net::awaitable<Result<net::Stream>> RelayDialer::dial(hc::RelayAddress address, Milliseconds limit,
                                                      How how) const {
    net::DialOptions options;
    options.tls = address.secure && tls_ ? &*tls_ : nullptr;
    options.proxy = proxy_ ? &*proxy_ : nullptr;
    options.timeout = limit;
    options.to_relay = true;
    options.use_reserve = how.use_reserve;
    options.attempts = how.attempts;
    auto stream = co_await net::dial(address.host, address.port, options);
    if (!stream) co_return dial_error(stream.error());
    co_return std::move(*stream);
}

net::awaitable<Result<net::UpgradeOutcome>> RelayDialer::open(hc::RelayAddress address,
                                                              net::UpgradeRequest request,
                                                              std::string purpose,
                                                              Limits limits) const {
    const std::string host = request.host;
    if (token_in_query_) add_token_to_query(request);
    net::Attempts attempts;
    std::optional<Error> silence;  // of the address before
    for (;;) {
        auto stream = co_await dial(address, limits.dial, {&attempts, limits.use_reserve});
        if (!stream) co_return silence ? *silence : stream.error();
        const auto limit =
            attempts.others ? std::min(limits.answer, kAnswerBeforeNext) : limits.answer;
        auto outcome = co_await net::upgrade(std::move(*stream), request, limit);
        if (outcome) {
            net::forget_bad_address(attempts.current);
            if (outcome->websocket) co_return std::move(*outcome);
            if (has_credentials() && wants_token_in_query(outcome->response) &&
                !token_in_query_.exchange(true)) {
                add_token_to_query(request);
                continue;
            }
            co_return explain_refusal(outcome->response, host, purpose, unix_now());
        }
        attempts.fail_current();
        silence =
            Error(relay_errc::unreachable, "relay " + host + ": " + outcome.error().message() +
                                               plain_advice(address, outcome.error()));
        if (!attempts.others) co_return *silence;
    }
}

net::awaitable<Result<RelayDialer::SenderChannel>> RelayDialer::connect(
    std::string entity, ConnectOptions options) const {
    net::UpgradeRequest request;
    request.host = access_.address.authority();
    request.target = hc::make_target(entity, "connect", hc::make_guid());
    request.subprotocols = std::move(options.subprotocols);
    const std::string authorization = token(entity);
    if (!authorization.empty()) request.headers.add("ServiceBusAuthorization", authorization);
    if (!options.listener.empty())
        request.headers.add("Microsoft-Relay-AllowedListeners", options.listener);
    request.headers.add("Relay-User-Agent", user_agent(request.subprotocols));
    const bool limited = options.limit.count() > 0;
    const Limits limits{
        limited ? std::min(options.limit, kDialLimit) : kDialLimit,
        limited ? std::min(options.limit, kConnectAnswerLimit) : kConnectAnswerLimit,
        options.use_reserve};
    auto outcome =
        co_await open(access_.address, std::move(request), "a channel to " + entity, limits);
    if (!outcome) co_return outcome.error();
    const std::string chosen(outcome->response.headers.get("Sec-WebSocket-Protocol"));
    co_return SenderChannel{std::move(*outcome->websocket), chosen};
}

net::awaitable<Result<RelayDialer::Registration>> RelayDialer::listen(std::string entity,
                                                                      std::string id,
                                                                      ListenOptions options) const {
    net::UpgradeRequest request;
    request.host = access_.address.authority();
    request.target = hc::make_target(entity, "listen", id);
    const std::string authorization = token(entity);
    if (!authorization.empty()) request.headers.add("ServiceBusAuthorization", authorization);
    request.headers.add("Relay-User-Agent", kUserAgent);
    if (!options.instance.empty()) request.headers.add(kInstanceHeader, options.instance);
    const bool asked = options.keep_alive.count() > 0;
    if (asked) request.headers.add(kKeepAliveHeader, std::to_string(options.keep_alive.count()));
    auto outcome = co_await open(access_.address, std::move(request), "a listener on " + entity,
                                 {options.dial_limit, options.answer_limit});
    if (!outcome) co_return outcome.error();
    Registration registration{std::move(*outcome->websocket)};
    const auto agreed = parse_int(outcome->response.headers.get(kKeepAliveHeader));
    if (asked && agreed && *agreed >= 1 && *agreed <= kMaxKeepAliveSeconds)
        registration.keep_alive = std::chrono::seconds(*agreed);
    co_return std::move(registration);
}

// Nothing has used the address up before the connection stands, so trying again is safe.
net::awaitable<Result<net::Stream>> RelayDialer::dial_rendezvous(hc::RelayAddress address,
                                                                 How how) const {
    const auto began = net::Clock::now();
    auto stream = co_await dial(address, kRendezvousFirstTry, how);
    const bool timed_out = net::Clock::now() - began >= kRendezvousFirstTry;
    if (stream || !timed_out) co_return std::move(stream);
    co_return co_await dial(address, kRendezvousLimit, how);
}

net::awaitable<Result<net::WebSocket>> RelayDialer::open_rendezvous(std::string url,
                                                                    std::string subprotocol) const {
    const auto parsed = parse_rendezvous(url, access_);
    if (!parsed) co_return parsed.error();
    net::UpgradeRequest request = rendezvous_request(*parsed);
    if (!subprotocol.empty()) request.subprotocols.push_back(subprotocol);
    net::Attempts attempts;
    std::optional<Error> silence;  // of the address before
    for (;;) {
        auto stream =
            co_await dial_rendezvous(parsed->relay, {&attempts, subprotocol == kProtocolV2});
        if (!stream) co_return silence ? *silence : stream.error();
        auto outcome = co_await net::upgrade(
            std::move(*stream), request, attempts.others ? kAnswerBeforeNext : kRendezvousLimit);
        if (outcome) {
            net::forget_bad_address(attempts.current);
            if (outcome->websocket) co_return std::move(*outcome->websocket);
            co_return explain_refusal(outcome->response, request.host, "a rendezvous", unix_now());
        }
        attempts.fail_current();
        silence = Error(relay_errc::unreachable, outcome.error().message());
        if (!attempts.others) co_return *silence;
    }
}

net::awaitable<Result<void>> RelayDialer::reject(std::string url, int status,
                                                 std::string description) const {
    url += "&sb-hc-statusCode=" + std::to_string(status) +
           "&sb-hc-statusDescription=" + hc::form_encode(description);
    auto parsed = parse_rendezvous(url, access_);
    if (!parsed) co_return parsed.error();
    co_return co_await send_rejection(std::move(*parsed));
}

net::awaitable<Result<void>> RelayDialer::reject_at_home(std::string url, int status,
                                                         std::string description) const {
    url += "&sb-hc-statusCode=" + std::to_string(status) +
           "&sb-hc-statusDescription=" + hc::form_encode(description);
    auto parsed = hc::parse_rendezvous_url(url);
    if (!parsed) co_return parsed.error();
    parsed->relay = access_.address;
    co_return co_await send_rejection(std::move(*parsed));
}

std::string RelayDialer::explain_address(const std::string& url) const {
    const auto parsed = hc::parse_rendezvous_url(url);
    if (!parsed || parsed->relay.authority() == name()) return "";
    return "; the relay announced " + parsed->relay.authority() +
           " for it, but this agent reaches the relay as " + name() +
           ": set the relay's PublicAddress, or make the proxy in front of it forward the Host "
           "header "
           "with its port";
}

net::awaitable<Result<void>> RelayDialer::send_rejection(hc::RendezvousUrl where) const {
    auto stream = co_await dial(where.relay, kRendezvousLimit, {});
    if (!stream) co_return stream.error();
    auto outcome =
        co_await net::upgrade(std::move(*stream), rendezvous_request(where), kRendezvousLimit);
    if (!outcome) co_return outcome.error();
    constexpr unsigned kGone = 410;
    if (outcome->response.status == kGone) co_return Result<void>();
    co_return Error(relay_errc::refused, "the relay answered a rejection with " +
                                             std::to_string(outcome->response.status) +
                                             " instead of 410");
}

http::RequestHead RelayDialer::management_request(const std::string& entity) const {
    http::RequestHead request;
    request.method = "GET";
    request.target = "/" + hc::escape_path(entity) + "?api-version=2016-07";
    request.headers.add("Host", name());
    request.headers.add("X-PROCESS-AT", "ServiceBus");
    request.headers.add("Authorization", token(entity));
    request.headers.add("Relay-User-Agent", kUserAgent);
    request.headers.add("Connection", "close");
    return request;
}

/// Asks one address of the relay's name after the other.
net::awaitable<Result<net::HttpResponse>> RelayDialer::fetch(http::RequestHead request,
                                                             Milliseconds limit) const {
    const auto deadline = net::Clock::now() + limit;
    const auto left = [deadline] {
        const auto time = std::chrono::duration_cast<Milliseconds>(deadline - net::Clock::now());
        return std::max(time, Milliseconds(1));
    };
    net::Attempts attempts;
    std::optional<Error> silence;  // of the address before
    for (;;) {
        auto stream = co_await dial(access_.address, left(), {&attempts, true});
        if (!stream) co_return silence ? *silence : stream.error();
        const auto share = attempts.others ? left() / 2 : left();
        auto response = co_await net::fetch(std::move(*stream), request, share);
        if (response) co_return std::move(*response);
        attempts.fail_current();
        silence = answer_error(access_.address, response.error());
        if (!attempts.others || net::Clock::now() >= deadline) co_return *silence;
    }
}

net::awaitable<Result<hc::RuntimeInformation>> RelayDialer::runtime_information(
    std::string entity, Milliseconds limit) const {
    auto response = co_await fetch(management_request(entity), limit);
    if (!response) co_return response.error();
    if (response->head.status != 200) {
        const std::string detail = hc::parse_error_document(response->body);
        if (!detail.empty()) response->head.reason = detail;
        const Error refusal =
            explain_refusal(response->head, name(), "access to " + entity, unix_now());
        // A relay without management, or a proxy before it, may still grant channels.
        const bool means_it =
            refusal.code() != make_error_code(relay_errc::no_such_entity) ||
            to_lower(response->head.reason).find("does not exist") != std::string::npos;
        if (means_it) co_return refusal;
        co_return Error(relay_errc::no_description, "relay " + name() + " does not describe " +
                                                        entity + ": " +
                                                        std::to_string(response->head.status) +
                                                        " " + printable(response->head.reason));
    }
    auto info = hc::parse_atom_entry(response->body);
    // Azure answers with a feed for a path that it does not know.
    if (!info) {
        const bool feed = response->body.find("<feed") != std::string::npos;
        co_return Error(
            feed ? relay_errc::no_such_entity : relay_errc::no_description,
            "relay " + name() + " does not describe " + entity + ": " + info.error().message());
    }
    co_return std::move(*info);
}

net::awaitable<Result<void>> RelayDialer::probe(Milliseconds limit) const {
    const auto stream = co_await dial(access_.address, limit, {});
    if (!stream) co_return stream.error();
    co_return Result<void>();
}

net::awaitable<Result<void>> RelayDialer::probe_anonymously(std::string entity,
                                                            Milliseconds limit) const {
    const auto channel = co_await connect(entity, {.listener = hc::make_guid(), .limit = limit});
    if (channel || channel.error().code() == make_error_code(relay_errc::no_such_listener))
        co_return Result<void>();
    co_return channel.error();
}

}  // namespace hpb::agent
