#pragma once

#include <array>
#include <cstdint>
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

/// An address as allow lists compare it: IPv4 as ::ffff:a.b.c.d.
[[nodiscard]] std::array<std::uint8_t, 16> address_bytes(const asio::ip::address& address);

}  // namespace hpb::net
