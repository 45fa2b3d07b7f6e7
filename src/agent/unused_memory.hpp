#pragma once

#include <cstddef>

#include "net/coro.hpp"

namespace hpb::agent {

/// What has had so many connections at once leaves memory behind that is worth giving back.
inline constexpr std::size_t kCrowd = 1000;

/// Gives unused memory back to the system, a moment from now, when what ends has freed its own.
/// Costs some milliseconds. On any thread.
void give_back_memory_soon(const net::asio::any_io_executor& executor);

}  // namespace hpb::agent
