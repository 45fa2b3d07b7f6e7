// v1: the existing Hybrid Port Bridge's format between the agents (docs/protocol.md, "v1"),
// sans-IO. Not here: sockets and policy (agent). One decoder per channel and direction; not
// thread-safe.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace hpb::v1 {

/// A .NET GUID in its wire order: 16 opaque bytes, chosen by the client agent.
struct ConnectionId {
    std::array<std::byte, 16> bytes{};

    auto operator<=>(const ConnectionId&) const = default;
    /// 32 lower-case hex digits in .NET's display order, for logs.
    [[nodiscard]] std::string to_string() const;
    /// A random version 4 GUID.
    [[nodiscard]] static ConnectionId random();
};

/// True for ids as client agents make them; one in 64 of other bytes passes.
[[nodiscard]] inline bool is_version_4(const ConnectionId& id) {
    return (id.bytes[7] & std::byte{0xf0}) == std::byte{0x40} &&
           (id.bytes[8] & std::byte{0xc0}) == std::byte{0x80};
}

inline constexpr std::size_t kPreambleSize = 8;
inline constexpr std::size_t kFrameHeaderSize = 18;
/// The original's sender never makes a longer payload; its receiver and ours accept 65535.
inline constexpr std::size_t kMaxSentPayload = 65518;

/// The first bytes of a channel, client to service.
[[nodiscard]] std::array<std::byte, kPreambleSize> encode_preamble(std::int32_t configuration_key);

/// @param payload_size  1..kMaxSentPayload: an empty frame harms an original peer.
void encode_frame_header(std::byte* out, const ConnectionId& id, std::size_t payload_size);

/// Collects the preamble from any chunking. Flags and the reserved length are ignored, as in the
/// original.
class PreambleDecoder {
public:
    /// Moves `in` behind what it used. @return the configuration key once all 8 bytes are there.
    [[nodiscard]] std::optional<std::int32_t> next(ByteSpan& in);

    /// What has come so far.
    [[nodiscard]] ByteSpan bytes() const { return ByteSpan(bytes_).first(have_); }

private:
    std::array<std::byte, kPreambleSize> bytes_{};
    std::size_t have_ = 0;
};

/// Cuts a channel's byte stream into pieces of frames; message boundaries mean nothing.
/// The format has no invalid input: every byte sequence is some sequence of frames.
class FrameDecoder {
public:
    struct Piece {
        ConnectionId id;
        ByteSpan payload;          ///< within the input; may be a part of the frame's payload
        bool frame_start = false;  ///< first piece of its frame
        bool frame_end = false;  ///< last piece; an empty frame gives one empty piece that is both
    };

    /// Moves `in` behind what it used. @return nullopt when the input is used up.
    [[nodiscard]] std::optional<Piece> next(ByteSpan& in);

    /// True while a frame (its header included) has begun and not ended: the channel's end
    /// truncates it.
    [[nodiscard]] bool in_frame() const { return header_have_ != 0; }
    /// True while a frame of that connection is under way.
    [[nodiscard]] bool in_frame_of(const ConnectionId& id) const {
        return header_have_ == kFrameHeaderSize && id_ == id;
    }

private:
    std::array<std::byte, kFrameHeaderSize> header_{};
    std::size_t header_have_ = 0;
    std::size_t payload_left_ = 0;
    bool started_ = false;
    ConnectionId id_;
};

}  // namespace hpb::v1

template <>
struct std::hash<hpb::v1::ConnectionId> {
    std::size_t operator()(const hpb::v1::ConnectionId& id) const noexcept {
        // The ids are random, but a peer chooses them: mix both halves so that it cannot pick one
        // bucket with the low bytes alone. Tables of ids are bounded in any case.
        const auto a = hpb::load_le<std::uint64_t>(id.bytes.data());
        const auto b = hpb::load_le<std::uint64_t>(id.bytes.data() + 8);
        return static_cast<std::size_t>((a ^ (b * 0x9e3779b97f4a7c15ULL)) * 0xff51afd7ed558ccdULL);
    }
};
