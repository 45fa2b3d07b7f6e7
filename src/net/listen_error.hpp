#pragma once

#include <string>

#include "base/error.hpp"
#include "net/coro.hpp"

namespace hpb::net {

/// Why nothing can listen at `where`, with the remedy. @param key  that names the address.
[[nodiscard]] Error listen_error(const std::string& where, const error_code& error,
                                 const std::string& key);

}  // namespace hpb::net
