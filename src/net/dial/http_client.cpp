#include "net/dial/http_client.hpp"

#include "net/slab.hpp"
#include "ops/limits.hpp"
#include "websocket/handshake.hpp"

namespace hpb::net {
namespace {

constexpr std::size_t kMaxHead = 32 * 1024;
/// Runtime information with the longest UserMetadata is far below this.
constexpr std::size_t kMaxBody = 1024 * 1024;

/// A server with TLS answers plain HTTP with an alert (RFC 8446 section 5.1), if at all.
bool is_tls_alert(ByteSpan bytes) {
    return bytes.size() >= 2 && bytes[0] == std::byte{0x15} && bytes[1] == std::byte{0x03};
}

/// Reads until the response is complete. @return bytes behind it, within `slab`.
awaitable<Result<ByteSpan>> read_response(Stream& stream, http::ResponseParser& parser,
                                          const Slab& slab) {
    for (;;) {
        const auto read = co_await stream.read_some(slab.span());
        if (!read) co_return read.error();
        if (*read == 0) {
            const auto complete = parser.put_eof();
            if (!complete) co_return complete.error();
            co_return ByteSpan();
        }
        const ByteSpan bytes = slab.span().first(*read);
        if (is_tls_alert(bytes))
            co_return Error(errc::not_permitted, "it speaks TLS; write sb:// or https://");
        const auto taken = parser.put(bytes);
        if (!taken) co_return taken.error();
        if (parser.done()) co_return bytes.subspan(*taken);
    }
}

}  // namespace

awaitable<Result<UpgradeOutcome>> upgrade(Stream stream, UpgradeRequest request,
                                          std::chrono::milliseconds timeout) {
    const std::string key = websocket::make_key();
    const http::RequestHead head = websocket::make_upgrade_request(
        request.host, request.target, key, request.subprotocols, request.headers);
    const std::string text = http::serialize(head);
    http::ResponseParser parser(http::ResponseParser::Body::none, kMaxHead, 0);
    const Slab slab = Slab::take();
    ByteSpan early;
    std::optional<Error> failure;
    {
        Deadline deadline(stream, timeout);
        const auto sent = co_await stream.write(as_bytes(text));
        if (!sent) failure = sent.error();
        if (!failure) {
            const auto rest = co_await read_response(stream, parser, slab);
            if (rest) {
                early = *rest;
            } else {
                failure = rest.error();
            }
        }
        if (deadline.expired()) {
            ops::reached(ops::Limit::late_answers);
            failure = Error(errc::timed_out,
                            request.host + " did not answer the WebSocket request in time");
        }
    }
    if (failure) co_return *failure;

    UpgradeOutcome outcome;
    outcome.response = parser.take_head();
    if (outcome.response.status != 101) co_return std::move(outcome);
    const auto valid =
        websocket::check_upgrade_response(outcome.response, key, request.subprotocols);
    if (!valid) co_return valid.error().with_context(request.host);
    outcome.websocket.emplace(std::move(stream), websocket::Role::client, early);
    co_return std::move(outcome);
}

awaitable<Result<HttpResponse>> fetch(Stream stream, http::RequestHead request,
                                      std::chrono::milliseconds timeout) {
    const std::string text = http::serialize(request);
    http::ResponseParser parser(http::ResponseParser::Body::read, kMaxHead, kMaxBody);
    const Slab slab = Slab::take();
    Deadline deadline(stream, timeout);
    std::optional<Error> failure;
    const auto sent = co_await stream.write(as_bytes(text));
    if (!sent) failure = sent.error();
    if (!failure) {
        const auto rest = co_await read_response(stream, parser, slab);
        if (!rest) failure = rest.error();
    }
    if (deadline.expired()) {
        ops::reached(ops::Limit::late_answers);
        failure = Error(errc::timed_out, "the relay did not answer in time");
    }
    if (failure) co_return *failure;
    HttpResponse response;
    response.head = parser.take_head();
    response.body = parser.take_body();
    co_return std::move(response);
}

}  // namespace hpb::net
