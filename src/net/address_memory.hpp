#pragma once

#include <vector>

#include "net/coro.hpp"

namespace hpb::net {

/// Addresses that took a connection and then did not do what was asked of them (TLS, the upgrade):
/// for a while they come last among the addresses of their name. Callable from any thread.
inline constexpr std::chrono::minutes kKeepBadAddress{5};
inline constexpr std::size_t kMaxBadAddresses = 256;

void remember_bad_address(const tcp::endpoint& address);
/// It works again, or still.
void forget_bad_address(const tcp::endpoint& address);
/// Puts the bad ones behind the others, each in the order they had.
void put_bad_addresses_last(std::vector<tcp::endpoint>& addresses);

}  // namespace hpb::net
