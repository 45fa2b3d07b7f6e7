// websocket: RFC 6455 on the wire (frames, masking, close payloads, opening handshake), sans-IO.
// Not here: sockets (net/websocket/websocket.hpp) and what the messages mean (hc, v1). One object
// per connection and direction; not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace hpb::websocket {

/// RFC 6455 section 11.8.
enum class Opcode : std::uint8_t {
    continuation = 0,
    text = 1,
    binary = 2,
    close = 8,
    ping = 9,
    pong = 10,
};

[[nodiscard]] constexpr bool is_control(Opcode opcode) {
    return (static_cast<std::uint8_t>(opcode) & 8) != 0;
}

/// The client masks what it sends, the server does not (RFC 6455 section 5.1).
enum class Role { client, server };

enum class errc {
    reserved_bits = 1,
    unknown_opcode,
    bad_masking,
    bad_length,
    bad_fragmentation,
    bad_control_frame,
    bad_close_payload,
    message_too_large,
    bad_handshake,
    handshake_refused,
};
[[nodiscard]] boost::system::error_code make_error_code(errc e);

/// The close code that tells a peer about `error` (RFC 6455 section 7.4.1).
[[nodiscard]] std::uint16_t close_code_for(const Error& error);

using MaskKey = std::array<std::byte, 4>;

inline constexpr std::size_t kMaxHeaderSize = 14;
inline constexpr std::size_t kMaxControlPayload = 125;

struct FrameHeader {
    bool fin = true;
    Opcode opcode = Opcode::binary;
    bool masked = false;
    MaskKey mask{};
    std::uint64_t length = 0;
};

/// @return the size of the header that encode_header() writes for a payload of `length` bytes.
[[nodiscard]] std::size_t header_size(std::uint64_t length, bool masked);

/// Writes the shortest form of `header`. @param out has room for kMaxHeaderSize. @return bytes
/// written.
std::size_t encode_header(std::byte* out, const FrameHeader& header);

/// XORs `data` with the key; data[0] is byte `offset` of the frame's payload.
void apply_mask(MutableByteSpan data, const MaskKey& key, std::uint64_t offset = 0);

/// As apply_mask(), into `to`. The ranges may overlap if `to` is not behind `from`.
void copy_masked(std::byte* to, ByteSpan from, const MaskKey& key, std::uint64_t offset = 0);

/// A whole control frame, header included, ready to send.
[[nodiscard]] std::string encode_control(Opcode opcode, ByteSpan payload, Role sender,
                                         const MaskKey& key);

struct ClosePayload {
    /// 0: the frame had no payload, so there was no code (RFC 6455 section 7.1.5, "1005").
    std::uint16_t code = 0;
    std::string reason;
};

/// Empty for code 0; the reason is cut to 123 bytes at a character's edge.
[[nodiscard]] std::string encode_close_payload(std::uint16_t code, std::string_view reason);
[[nodiscard]] Result<ClosePayload> parse_close_payload(ByteSpan payload);

/// Cuts inbound bytes into pieces of data messages and whole control frames. Data is unmasked in
/// place and never copied; any chunking of the input gives the same messages.
class Decoder {
public:
    enum class Kind {
        need_more,  ///< the input is used up
        data,       ///< `payload` is a piece of a text or binary message
        control,    ///< a whole Close, Ping or Pong; `payload` is valid until the next call
    };

    struct Event {
        Kind kind = Kind::need_more;
        /// Of a piece: its message's type, text or binary. Of a control frame: its opcode.
        Opcode opcode = Opcode::continuation;
        bool message_start = false;  ///< first piece of its message
        bool message_end = false;    ///< last piece of its message
        MutableByteSpan payload;
    };

    /// @param self  the role of the end that decodes: a server demands masked frames, a client
    ///              unmasked ones.
    explicit Decoder(Role self) : self_(self) {}

    /// Takes one event from the front of `in` and moves `in` behind it. An error is final: send
    /// Close with close_code_for() and read no more.
    [[nodiscard]] Result<Event> next(MutableByteSpan& in);

    /// @return true while a data message has begun and not ended.
    [[nodiscard]] bool in_message() const { return message_opcode_ != Opcode::continuation; }

private:
    [[nodiscard]] Result<bool> read_header(MutableByteSpan& in);
    [[nodiscard]] Result<void> check_header();
    [[nodiscard]] Event take_data(MutableByteSpan& in);
    [[nodiscard]] Event take_control(MutableByteSpan& in);

    Role self_;
    bool in_frame_ = false;
    FrameHeader frame_;
    std::uint64_t frame_read_ = 0;                  // payload bytes of this frame given out so far
    bool message_begun_ = false;                    // a piece of this message has been given out
    Opcode message_opcode_ = Opcode::continuation;  // continuation: between messages
    std::array<std::byte, kMaxHeaderSize> header_{};
    std::size_t header_have_ = 0;
    std::array<std::byte, kMaxControlPayload> control_{};
};

}  // namespace hpb::websocket

template <>
struct boost::system::is_error_code_enum<hpb::websocket::errc> : std::true_type {};
