#pragma once

#include <string>
#include <string_view>

#include "http/message.hpp"
#include "relay/access.hpp"

namespace hpb::relay {

/// The form in which a refusal's explanation is repeated in the body.
enum class Body { text, json, xml };

/// A whole HTTP response: the reason phrase explains and carries the tracking id, since clients
/// show it; a Date header lets them find a wrong clock (docs/protocol.md, "Errors").
/// @param entity  for the tracker; may be what a client made up, and is made printable.
[[nodiscard]] std::string refusal_response(const Refusal& refusal, std::string_view tracking_id,
                                           std::string_view host, std::string_view entity,
                                           Body body);

/// Seconds since 1970, for tokens and time stamps.
[[nodiscard]] std::int64_t unix_now();

}  // namespace hpb::relay
