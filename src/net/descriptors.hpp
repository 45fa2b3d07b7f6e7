#pragma once

#include <cstddef>
#include <string>

#include "net/coro.hpp"

namespace hpb::net {

/// The last file descriptors below the process's limit are reserved for reconnecting to the relay:
/// code that serves only one connection does not use them. The system assigns the lowest free
/// number, so a new descriptor's number shows how many are left. Callable from any thread.
inline constexpr std::size_t kReservedDescriptors = 24;
/// Upper bound of the reserve, as a part of the limit.
inline constexpr std::size_t kMaxReservedPart = 4;

/// Enlarges the reserve; called for each hybrid connection and listening port.
void reserve_descriptors(std::size_t more);

/// True if a descriptor that was just opened belongs to the reserve.
[[nodiscard]] bool is_reserved_descriptor(int descriptor);

/// True if the next descriptor would belong to the reserve, or there is none.
[[nodiscard]] bool descriptors_are_short();

/// "256 file descriptors are in use, the limit; ..." with the remedy, for a log line or an error.
[[nodiscard]] std::string descriptor_shortage();

/// Called by an accept loop for each connection: waits while it could be served only from the
/// reserve, so that later connections wait in the kernel. Logs that at a limited rate.
/// @param name  of what listens, for the line.
[[nodiscard]] awaitable<void> wait_for_descriptors(int accepted, const char* component,
                                                   std::string name);

}  // namespace hpb::net
