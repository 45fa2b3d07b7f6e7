#pragma once

#include <string>

#include "net/coro.hpp"

namespace hpb::net {

/// The key of a source, for limits per address: an IPv4 address, or the /64 of
/// an IPv6 address, because one host can use any address of its /64. An IPv4-mapped address counts
/// as the IPv4 address that it represents.
/// @return text, for use as a key.
[[nodiscard]] std::string source_key(const asio::ip::address& address);
/// The same for an address in text form; anything that is not an address is one source, "".
[[nodiscard]] std::string source_key(const std::string& address);

/// True for link-local addresses and those at which clouds serve a machine's credentials: only the
/// local configuration may choose them as targets.
[[nodiscard]] bool is_link_local_or_metadata(const asio::ip::address& address);

}  // namespace hpb::net
