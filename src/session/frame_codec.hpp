// session: v2 between the agents (docs/session-protocol.md), sans-IO. Streams, acknowledgement,
// credit, scheduling, resumption. Not here: sockets, dialling, the relay's protocol, targets.
// A session and all that it holds belong to one thread; nothing here is thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "session/codes.hpp"
#include "session/ids.hpp"
#include "session/limits.hpp"

namespace hpb::session {

inline constexpr std::uint16_t kVersion = 2;
inline constexpr std::uint16_t kMinVersion = 2;

inline constexpr std::size_t kFrameHeaderSize = 8;
inline constexpr std::size_t kDataHeaderSize = kFrameHeaderSize + 8;
/// Longest payload of a frame other than DATA and those that are skipped.
inline constexpr std::size_t kMaxControlPayload = 1024;
inline constexpr std::size_t kMaxControlFrame = kFrameHeaderSize + kMaxControlPayload;
inline constexpr std::size_t kMaxText = 256;
inline constexpr std::size_t kMaxListenerId = 128;

enum class FrameType : std::uint8_t {
    hello = 0x01,
    welcome = 0x02,
    refused_hello = 0x03,
    open = 0x10,
    opened = 0x11,
    refused = 0x12,
    data = 0x13,
    ack = 0x14,
    reset = 0x15,
    closed = 0x16,
    streams = 0x17,
    ping = 0x20,
    pong = 0x21,
    channel_close = 0x22,
    end_session = 0x23,
    channel_lost = 0x24,
};
/// Unknown types with this bit are skipped.
inline constexpr std::uint8_t kIgnorable = 0x80;
/// Flag of DATA: the stream ends after these bytes.
inline constexpr std::uint8_t kFlagFin = 0x01;

struct FrameHeader {
    FrameType type{};
    std::uint8_t flags = 0;
    std::uint16_t length = 0;
    StreamId stream;
};

/// Where an application's connection came from, for the service's log and rules.
struct SourceAddress {
    std::uint8_t family = 0;  ///< 0 not given, 4, 6; 1 local (a Unix socket, no address)
    std::array<std::byte, 16> address{};  ///< IPv4 in the first four bytes
    std::uint16_t port = 0;
    bool operator==(const SourceAddress&) const = default;
};

struct OpenInfo {
    std::int32_t key = 0;  ///< the mapping's configuration key
    SourceAddress source;
    bool operator==(const OpenInfo&) const = default;
};

struct HelloFrame {
    std::uint16_t version = kVersion;
    std::uint16_t min_version = kMinVersion;
    SessionId session;
    ChannelId channel;
    bool resume = false;
    Nonce nonce{};
    /// The secret itself in a new session, the proof of it in a resumed one.
    std::array<std::byte, 32> secret_or_proof{};
    Parameters parameters;
};

struct WelcomeFrame {
    std::uint16_t version = kVersion;
    Parameters parameters;
    Nonce nonce{};
    Proof proof{};
    std::string listener_id;
};

struct RefusedHelloFrame {
    HelloRefusal code{};
    std::uint16_t version = kVersion;
    std::uint16_t min_version = kMinVersion;
    std::string text;
};

struct OpenFrame {
    OpenInfo info;
    std::uint64_t credit = 0;
};
struct AckFrame {
    std::uint64_t position = 0;
    std::uint64_t credit = 0;
};
struct CodeAndText {
    std::uint16_t code = 0;
    std::string text;
};

/// Room for one frame without data, header included.
class ControlFrame {
public:
    ControlFrame(FrameType type, StreamId stream);
    ControlFrame& u8(std::uint8_t value);
    ControlFrame& u16(std::uint16_t value);
    ControlFrame& u32(std::uint32_t value);
    ControlFrame& u64(std::uint64_t value);
    /// Truncated to what the frame can hold.
    ControlFrame& bytes(ByteSpan value);
    /// The finished frame. Valid as long as this object lives.
    [[nodiscard]] ByteSpan finish();

private:
    std::array<std::byte, kFrameHeaderSize + 320> wire_;  // every frame of ours fits
    std::size_t size_ = kFrameHeaderSize;
};

[[nodiscard]] ControlFrame encode(const HelloFrame& frame);
[[nodiscard]] ControlFrame encode(const WelcomeFrame& frame);
[[nodiscard]] ControlFrame encode(const RefusedHelloFrame& frame);
[[nodiscard]] ControlFrame encode(StreamId stream, const OpenFrame& frame);
[[nodiscard]] ControlFrame encode(StreamId stream, const AckFrame& frame);
/// REFUSED, CHANNEL_CLOSE and END_SESSION. The text is made printable and truncated to kMaxText.
[[nodiscard]] ControlFrame encode(FrameType type, StreamId stream, std::uint16_t code,
                                  std::string_view text);
void encode_data_header(std::byte* out, StreamId stream, std::uint64_t offset, std::uint16_t size,
                        bool fin);

// The payload of a frame; malformed_frame if it is too short or has an invalid value. Bytes after
// the known fields belong to later versions and are ignored.
[[nodiscard]] Result<HelloFrame> parse_hello(ByteSpan payload);
[[nodiscard]] Result<WelcomeFrame> parse_welcome(ByteSpan payload);
[[nodiscard]] Result<RefusedHelloFrame> parse_refused_hello(ByteSpan payload);
[[nodiscard]] Result<OpenFrame> parse_open(ByteSpan payload);
[[nodiscard]] Result<AckFrame> parse_ack(ByteSpan payload);
[[nodiscard]] Result<std::uint64_t> parse_u64(ByteSpan payload);
[[nodiscard]] Result<std::uint32_t> parse_u32(ByteSpan payload);
[[nodiscard]] Result<std::uint16_t> parse_u16(ByteSpan payload);
[[nodiscard]] Result<CodeAndText> parse_code_and_text(ByteSpan payload);

/// Cuts a channel's bytes into frames, whatever the chunking. DATA comes in pieces as it arrives;
/// every other frame in one. Holds at most one frame's header and control payload.
class FrameDecoder {
public:
    struct Piece {
        FrameHeader header;
        ByteSpan body;             ///< valid until the next call, or as long as the input
        std::uint64_t offset = 0;  ///< DATA: of the body in its stream
        bool begin = false;        ///< DATA: the frame's first piece (its body may be empty)
        bool end = false;          ///< the frame's last piece
    };

    /// @param max_frame  longest payload that was agreed.
    explicit FrameDecoder(std::uint16_t max_frame) : max_frame_(max_frame) {}

    /// Advances `in` past what it consumed. @return nullopt when the input is used up; an error
    /// after which the channel cannot be read any further.
    [[nodiscard]] Result<std::optional<Piece>> next(ByteSpan& in);

private:
    [[nodiscard]] bool collect(ByteSpan& in, std::size_t upto);
    [[nodiscard]] errc begin_frame();
    [[nodiscard]] Piece data_piece(ByteSpan& in);

    std::uint16_t max_frame_;
    std::array<std::byte, kMaxControlFrame> buffer_;
    std::size_t have_ = 0;
    FrameHeader header_;
    enum class State : std::uint8_t { header, control, data_offset, data_begin, data, skip };
    State state_ = State::header;
    std::size_t left_ = 0;  // of the payload that is forwarded or skipped
    std::uint64_t offset_ = 0;
};

}  // namespace hpb::session
