#pragma once

#include <cstddef>
#include <string>

#include "net/coro.hpp"

namespace hpb::net {

/// The last file descriptors below the process's limit are a reserve for the way back to the relay:
/// what serves one connection only stops short of it. Descriptors are numbered from the lowest free
/// number on, so the number of a new one tells how many are left. Callable from any thread.
inline constexpr std::size_t kReservedDescriptors = 24;
/// However much is asked for, the reserve never takes more than this part of the limit.
inline constexpr std::size_t kMaxReservedPart = 4;

/// Asks for a larger reserve, as each hybrid connection and each listening port does.
void reserve_descriptors(std::size_t more);

/// True if a descriptor that was just opened belongs to the reserve.
[[nodiscard]] bool is_reserved_descriptor(int descriptor);

/// True if the next descriptor would belong to the reserve, or there is none.
[[nodiscard]] bool descriptors_are_short();

/// "256 file descriptors are in use, the limit; ..." with the remedy, for a line or an error.
[[nodiscard]] std::string descriptor_shortage();

/// What an accept loop does with each connection: waits while it could only be served from the
/// reserve, so that those behind it wait in the kernel. Says so, once in a while.
/// @param name  of what listens, for the line.
[[nodiscard]] awaitable<void> wait_for_descriptors(int accepted, const char* component,
                                                   std::string name);

}  // namespace hpb::net
