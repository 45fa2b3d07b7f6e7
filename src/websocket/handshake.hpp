#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "http/message.hpp"

namespace hpb::websocket {

/// Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 section 4.2.2, step 5.4).
[[nodiscard]] std::string accept_key(std::string_view key);

/// 16 random bytes in base64 (RFC 6455 section 4.1, item 7).
[[nodiscard]] std::string make_key();

/// True if the request wants to become a WebSocket; whether it may is check_upgrade_request()'s
/// word.
[[nodiscard]] bool is_upgrade(const http::RequestHead& request);

/// @return an error that says which requirement of RFC 6455 section 4.2.1 is not met.
[[nodiscard]] Result<void> check_upgrade_request(const http::RequestHead& request);

/// The 101 answer: exactly one each of the three required headers, the subprotocol if not empty.
[[nodiscard]] http::ResponseHead make_upgrade_response(const http::RequestHead& request,
                                                       std::string_view subprotocol);

/// The client's request. `headers` are added behind the ones that RFC 6455 asks for.
[[nodiscard]] http::RequestHead make_upgrade_request(std::string_view host, std::string_view target,
                                                     std::string_view key,
                                                     const std::vector<std::string>& subprotocols,
                                                     const http::Headers& headers);

/// Client side, RFC 6455 section 4.1: a 101 that answers our key, with no extension and no
/// subprotocol that was not offered.
[[nodiscard]] Result<void> check_upgrade_response(const http::ResponseHead& response,
                                                  std::string_view key,
                                                  const std::vector<std::string>& offered);

/// All subprotocols of a request's Sec-WebSocket-Protocol headers, in order.
[[nodiscard]] std::vector<std::string> offered_subprotocols(const http::Headers& headers);

}  // namespace hpb::websocket
