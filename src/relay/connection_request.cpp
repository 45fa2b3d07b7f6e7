// A connection until its request is there: TLS, the head, and whose it is. What the request asks
// for is served in connection.cpp.
#include "base/text.hpp"
#include "hc/tracking_id.hpp"
#include "net/slab.hpp"
#include "net/source.hpp"
#include "net/tls/failure.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"
#include "relay/client_address.hpp"
#include "relay/connection.hpp"
#include "websocket/handshake.hpp"

namespace hpb::relay {
namespace {

/// The first byte of a ClientHello's record.
constexpr std::byte kTlsHandshake{22};

std::string without_port(std::string_view host) {
    if (!host.empty() && host.front() == '[') {
        const auto end = host.find(']');
        return std::string(host.substr(1, end == std::string_view::npos ? end : end - 1));
    }
    return std::string(host.substr(0, host.find(':')));
}

}  // namespace

/// TLS and the head within handshake_timeout. @return false if the connection is done.
net::awaitable<bool> Connection::read_request() {
    HandshakeTable::Entry entry(
        handshakes_.table, stream_, source_,
        through_proxy_ ? HandshakeTable::Peer::proxy : HandshakeTable::Peer::client);
    const net::Deadline deadline(stream_, context_.options.handshake_timeout);
    if (context_.tls) {
        const auto secured = co_await secure(entry);
        if (!secured) {
            tell_failed_handshake(secured.error(), entry.evicted(), deadline.expired());
            if (net::is_plain_http(secured.error())) co_await answer_plain_http();
            co_return false;
        }
        entry.on_secured();
    }
    const bool complete = co_await read_head();
    if (!complete && (entry.evicted() || deadline.expired())) {
        tell_failed_handshake(errc::invalid_argument, entry.evicted(), true);
    }
    co_return complete;
}

net::awaitable<Result<void>> Connection::secure(HandshakeTable::Entry& entry) {
    // Whoever connects and says nothing has nothing made for it.
    const auto begun = co_await stream_.wait_readable();
    if (!begun) co_return begun.error();
    HandshakeTurns::Pace pace(handshakes_.turns, entry);
    net::PendingTls tls = context_.tls->make();
    co_return co_await net::secure(stream_, tls, &pace);
}

void Connection::tell_failed_handshake(const Error& error, bool evicted, bool late) {
    if (evicted) {
        ops::reached(ops::Limit::evicted_handshakes);
    } else if (late) {
        ops::reached(ops::Limit::late_handshakes);
    }
    // Whoever connects and leaves without a word is a health check or a scan.
    if (!evicted && !late && error.code() == net::asio::error::eof) {
        ops::log_debug("relay", "{} left without a handshake", peer_text(peer_));
        return;
    }
    context_.log->handshake_failed(peer_, evicted ? "too many handshakes are in progress"
                                          : late
                                              ? "it took too long"
                                              : printable(net::explain_refused_handshake(error)));
}

net::awaitable<void> Connection::answer_plain_http() {
    stream_.use(net::plain_transport());
    request_.tracking_id = hc::make_tracking_id("");
    const Refusal refusal{400, "The relay speaks TLS on this port; use wss:// or https://"};
    // The log has the handshake that failed already.
    const RefusedRequest refused{
        .method = "", .tracking_id = request_.tracking_id, .host = "relay", .entity = ""};
    co_await respond(refusal_response(refusal, refused, Body::text));
}

net::awaitable<bool> Connection::read_head() {
    http::RequestParser parser(context_.options.max_head_bytes);
    net::Slab slab;
    for (;;) {
        const auto read = co_await stream_.read_some(slab);
        if (!read || *read == 0) co_return false;
        const ByteSpan bytes = slab.span().first(*read);
        const auto taken = parser.put(bytes);
        if (!taken) {
            const bool large = taken.error().code() == make_error_code(http::errc::head_too_large);
            const bool is_tls = !context_.tls && bytes.front() == kTlsHandshake;
            const Refusal refusal{large ? 431u : 400u,
                                  large    ? "The request's headers are too large"
                                  : is_tls ? "The client speaks TLS, and this relay does not "
                                             "(Insecure); use http:// or ws://, or give the "
                                             "relay a certificate"
                                           : "The request is not valid HTTP"};
            if (large) ops::reached(ops::Limit::large_heads);
            take_apart(parser.salvage());
            request_.kind = Kind::websocket;  // the form of what is most likely
            co_await refuse(refusal);
            co_return false;
        }
        if (!parser.done()) continue;
        const ByteSpan rest = bytes.subspan(*taken);
        request_.early.assign(rest.begin(), rest.end());
        break;
    }
    take_apart(parser.take());
    co_return true;
}

void Connection::take_apart(http::RequestHead head) {
    request_.head = std::move(head);
    if (through_proxy_) {
        peer_ =
            client_address(request_.head.headers, accepted_from_, context_.options.trusted_proxies);
        source_ = net::source_key(peer_.address());
    }
    request_.target = hc::split_target(request_.head.target);
    request_.host = without_port(request_.head.headers.get("Host"));
    const auto path = hc::entity_path(request_.target.path);
    request_.has_path = path.has_value();
    request_.path = path.value_or("");
    const auto id = hc::query_parameter(request_.target.query, "sb-hc-id");
    request_.tracking_id = hc::make_tracking_id(id.value_or(""));
    request_.token = find_token(request_.head.headers, request_.target.query);
    const bool is_management = iequals(request_.head.headers.get("X-PROCESS-AT"), "ServiceBus");
    request_.kind = websocket::is_upgrade(request_.head) ? Kind::websocket
                    : is_management                      ? Kind::management
                                                         : Kind::http;
}

bool Connection::take_client_place() {
    if (!through_proxy_) return true;
    ticket_ = {};  // two at once would be one too many at the limit
    ticket_ = context_.connections->child(source_, net::Share::kSourceFactor)->try_take();
    if (!ticket_) note_refused_connection(*context_.connections);
    return static_cast<bool>(ticket_);
}

}  // namespace hpb::relay
