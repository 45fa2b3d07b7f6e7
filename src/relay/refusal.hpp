#pragma once

#include <string>
#include <string_view>

#include "http/message.hpp"
#include "relay/access.hpp"

namespace hpb::relay {

/// The form in which a refusal's explanation is repeated in the body.
enum class Body { text, json, xml };

/// The request that is refused. All of it is untrusted input, and is made printable.
struct RefusedRequest {
    std::string_view method;
    std::string_view tracking_id;
    std::string_view host;    ///< for the tracker and the challenge
    std::string_view entity;  ///< for the tracker
};

/// A whole HTTP response: the reason phrase explains and carries the tracking id, since clients
/// show it; a Date header lets them detect a wrong clock (docs/protocol.md, "Errors").
[[nodiscard]] std::string refusal_response(const Refusal& refusal, const RefusedRequest& request,
                                           Body body);

/// A response that closes the connection. One to HEAD, or of a status without a body, has none
/// (RFC 9110 section 6.4.1).
[[nodiscard]] std::string closing_response(http::ResponseHead head, std::string_view method,
                                           std::string_view content_type, std::string_view content);

/// Seconds since 1970, for tokens and time stamps.
[[nodiscard]] std::int64_t unix_now();

}  // namespace hpb::relay
