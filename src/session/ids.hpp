#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/bytes.hpp"

namespace hpb::session {

/// Which end of a session this is: the client creates it, the service admits it.
enum class Role : std::uint8_t { client, service };

/// One application connection within a session. The client's are odd, the service's even; never
/// reused. 0 is no stream.
struct StreamId {
    std::uint32_t value = 0;
    auto operator<=>(const StreamId&) const = default;
};

/// The number that the client gave a channel; the same at both ends, never reused in a session.
/// 0 is no channel.
struct ChannelId {
    std::uint64_t value = 0;
    auto operator<=>(const ChannelId&) const = default;
};

/// 128 random bits, chosen by the client. Public: it appears in logs.
struct SessionId {
    std::array<std::byte, 16> bytes{};
    auto operator<=>(const SessionId&) const = default;
};

/// The resumption secret: 256 random bits, chosen by the client. Never logged.
using Secret = std::array<std::byte, 32>;
using Nonce = std::array<std::byte, 16>;
using Proof = std::array<std::byte, 32>;

}  // namespace hpb::session

template <>
struct std::hash<hpb::session::SessionId> {
    std::size_t operator()(const hpb::session::SessionId& id) const noexcept {
        // Peers choose the ids: both halves are mixed; the table of them is bounded in any case.
        const auto a = hpb::load_be<std::uint64_t>(id.bytes.data());
        const auto b = hpb::load_be<std::uint64_t>(id.bytes.data() + 8);
        return static_cast<std::size_t>((a ^ (b * 0x9e3779b97f4a7c15ULL)) * 0xff51afd7ed558ccdULL);
    }
};
