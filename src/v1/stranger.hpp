// Other programs at the end of a channel: what they begin with, so that a log can name them.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace hpb::v1 {

/// A program that is no agent of this bridge, by the first bytes that it sends on a channel.
struct Stranger {
    enum class Program { dotnet_bridge, azbridge, port_bridge, unknown };
    Program program = Program::unknown;
    /// The target that it wants, as it calls it: azbridge's port name, Port Bridge's `tcp:3389`.
    /// Whatever the peer has sent, at most kMaxName bytes of it: make it printable.
    std::string asked_for;
    bool complete = true;  ///< false: more bytes may tell more
};

/// Longer names are cut.
inline constexpr std::size_t kMaxName = 255;
/// After that many bytes nothing more can be learnt.
inline constexpr std::size_t kMaxStrangerBytes = 4 + kMaxName;

/// @param first  all bytes that have come so far. @return nullopt while they are too few to tell.
[[nodiscard]] std::optional<Stranger> recognise(ByteSpan first);

/// True for the three bytes with which an azbridge listener turns a preamble of ours away.
[[nodiscard]] bool is_azbridge_refusal(ByteSpan all);

/// How a log line calls it: "azbridge, which asked for its port 'web'". Printable, bounded.
[[nodiscard]] std::string describe(const Stranger& stranger, ByteSpan first);

}  // namespace hpb::v1
