#pragma once

#include "net/coro.hpp"

namespace hpb::net {

/// True for link-local addresses and those at which clouds serve a machine's credentials: only the
/// local configuration may choose them as targets.
[[nodiscard]] bool is_link_local_or_metadata(const asio::ip::address& address);

}  // namespace hpb::net
