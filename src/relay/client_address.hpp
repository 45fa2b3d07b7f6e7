#pragma once

#include "config/allow_list.hpp"
#include "http/message.hpp"
#include "net/coro.hpp"

namespace hpb::relay {

[[nodiscard]] bool is_in(const config::AllowList& list, const net::asio::ip::address& address);

/// Whose request this is: `peer`, or, if that is one of `proxies`, the client that they name in
/// X-Forwarded-For or Forwarded (RFC 7239): the last address that is not a proxy's, because what
/// stands before it may be made up. Where they name nobody, or something that is no address, or the
/// two fields disagree, it is the proxy's.
/// @return the port as it is named there; mostly it is not, then 0.
[[nodiscard]] net::tcp::endpoint client_address(const http::Headers& headers,
                                                const net::tcp::endpoint& peer,
                                                const config::AllowList& proxies);

}  // namespace hpb::relay
