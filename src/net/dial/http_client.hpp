#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "http/message.hpp"
#include "net/coro.hpp"
#include "net/websocket/websocket.hpp"

namespace hpb::net {

/// A WebSocket that a relay or server granted, or its refusal.
struct UpgradeOutcome {
    std::optional<WebSocket> websocket;
    http::ResponseHead response;  ///< 101 or the refusal: status, reason and headers
};

struct UpgradeRequest {
    std::string host;    ///< Host header
    std::string target;  ///< path and query
    std::vector<std::string> subprotocols;
    http::Headers headers;  ///< further headers, such as the token
};

/// The opening handshake as a client (RFC 6455 section 4.1) on a connection just dialled.
/// @return an outcome for every well-formed answer, including a refusal; an error if none arrived
/// in time.
[[nodiscard]] awaitable<Result<UpgradeOutcome>> upgrade(Stream stream, UpgradeRequest request,
                                                        std::chrono::milliseconds timeout);

struct HttpResponse {
    http::ResponseHead head;
    std::string body;
};

/// One request without a body and its response, on a connection just dialled.
[[nodiscard]] awaitable<Result<HttpResponse>> fetch(Stream stream, http::RequestHead request,
                                                    std::chrono::milliseconds timeout);

}  // namespace hpb::net
