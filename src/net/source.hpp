#pragma once

#include <string>

#include "net/coro.hpp"

namespace hpb::net {

/// What counts as one source when things are shared out by address: an IPv4 address, or the /64 of
/// an IPv6 address, because one host has as many addresses of its /64 as it likes. An IPv4-mapped
/// address counts as the IPv4 address it stands for.
/// @return text, for use as a key.
[[nodiscard]] std::string source_key(const asio::ip::address& address);
/// The same for an address in text form; anything that is no address is one source, "".
[[nodiscard]] std::string source_key(const std::string& address);

/// An address at which a machine finds what is its own alone: link-local ones, and those where
/// clouds serve a machine's credentials. Nobody else is to choose them as a target.
[[nodiscard]] bool is_link_local_or_metadata(const asio::ip::address& address);

}  // namespace hpb::net
