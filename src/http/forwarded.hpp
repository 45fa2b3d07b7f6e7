#pragma once

#include <string>
#include <vector>

#include "http/message.hpp"

namespace hpb::http {

/// What proxies on a request's way say about where it came from, in the order of the wire: each
/// proxy adds the peer that it saw at the end. An item that is empty or no address stays, since it
/// is a hop all the same. What a client has made up comes first; what is to be believed is up to
/// the caller.
///
/// Of X-Forwarded-For: `client, proxy1, proxy2`, in one field or several.
[[nodiscard]] std::vector<std::string> x_forwarded_for(const Headers& headers);
/// Of Forwarded (RFC 7239): the `for` of each element, without quotes; "" where it has none.
[[nodiscard]] std::vector<std::string> forwarded_for(const Headers& headers);

/// An item of the above, taken apart: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`,
/// `[2001:db8::1]:80`.
struct ForwardedNode {
    std::string host;   ///< without brackets; not checked to be an address
    unsigned port = 0;  ///< 0: none, or not one
};
[[nodiscard]] ForwardedNode parse_forwarded_node(std::string_view text);

}  // namespace hpb::http
