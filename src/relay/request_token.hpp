#pragma once

#include <string>
#include <string_view>

#include "http/message.hpp"

namespace hpb::relay {

/// The token of a request, decoded, and where it was found.
struct RequestToken {
    enum class Place { none, query, service_bus_header, authorization };
    std::string text;
    Place place = Place::none;
};

/// The first non-empty one of sb-hc-token, ServiceBusAuthorization and Authorization. In the
/// query it is form-encoded: a '+' is a space, and no token contains a bare plus.
[[nodiscard]] RequestToken find_token(const http::Headers& headers, std::string_view query);

/// True if a listener must not see the sender's Authorization header, because it contains the
/// relay's token. @param evaluated  whether the relay looked at the token.
[[nodiscard]] bool hides_authorization(const RequestToken& token, bool evaluated);

}  // namespace hpb::relay
