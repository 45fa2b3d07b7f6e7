#pragma once

#include <vector>

#include "net/coro.hpp"

namespace hpb::net {

/// Addresses that accepted a connection but then failed (TLS, the upgrade): for a while they are
/// tried last among the addresses of their name. Callable from any thread.
inline constexpr std::chrono::minutes kKeepBadAddress{5};
inline constexpr std::size_t kMaxBadAddresses = 256;

void remember_bad_address(const tcp::endpoint& address);
/// The address works.
void forget_bad_address(const tcp::endpoint& address);
/// Moves the bad ones behind the others; otherwise the order is preserved.
void put_bad_addresses_last(std::vector<tcp::endpoint>& addresses);

}  // namespace hpb::net
