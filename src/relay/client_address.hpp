#pragma once

#include "config/allow_list.hpp"
#include "http/message.hpp"
#include "net/coro.hpp"

namespace hpb::relay {

[[nodiscard]] bool is_in(const config::AllowList& list, const net::asio::ip::address& address);

/// The client of a request: `peer` or, if that is one of `proxies`, the client given in
/// X-Forwarded-For or Forwarded (RFC 7239): the last address that is not a proxy's, because
/// anything before it may be forged. If the fields give no address or an invalid one, or disagree,
/// it is the proxy's.
/// @return the port as given there; usually missing, then 0.
[[nodiscard]] net::tcp::endpoint client_address(const http::Headers& headers,
                                                const net::tcp::endpoint& peer,
                                                const config::AllowList& proxies);

}  // namespace hpb::relay
