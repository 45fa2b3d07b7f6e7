#pragma once

#include <cstddef>

namespace hpb::bench {

/// The first byte of each connection says what its far end is to do. Everything behind it is
/// traffic.
enum class Ask : char {
    echo = 'e',      ///< send back what comes
    sink = 's',      ///< read it, and throw it away
    generate = 'g',  ///< send until the connection ends
    both = 'd',      ///< sink and generate
};

/// Which way bulk traffic goes, seen from the near end.
enum class Direction { up, down, both };

[[nodiscard]] constexpr Ask ask_for(Direction direction) {
    if (direction == Direction::up) return Ask::sink;
    return direction == Direction::down ? Ask::generate : Ask::both;
}

/// Bytes of one read or write of bulk traffic: more makes no difference to the kernel's loopback.
inline constexpr std::size_t kChunk = 256 * 1024;

}  // namespace hpb::bench
