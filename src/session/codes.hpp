// The error and refusal codes of v2 on the wire (docs/session-protocol.md, "Codes"), and the errors
// of this layer.
#pragma once

#include <boost/system/error_code.hpp>
#include <cstdint>

#include "base/error.hpp"

namespace hpb::session {

/// Errors of this layer. Values up to 63 go over the wire in CHANNEL_CLOSE, END_SESSION and RESET;
/// the others are returned to the local caller only.
enum class errc : std::uint16_t {
    none = 0,  ///< on the wire: no error

    // Channel errors: the channel is closed, the session continues.
    malformed_frame = 1,  ///< an invalid length or value
    unknown_frame = 2,    ///< an unknown type that must not be ignored
    frame_too_large = 3,
    unexpected_frame = 4,   ///< a handshake frame too late, or another frame too early
    welcome_rejected = 5,   ///< the service did not prove that it knows the secret
    frame_after_close = 6,  ///< a frame after CHANNEL_CLOSE

    // Peer errors: an authenticated peer violates the protocol. The session ends.
    flow_control = 16,     ///< data beyond the credit
    final_size = 17,       ///< FIN moved, or data beyond it
    wrong_stream = 18,     ///< wrong parity, or a frame for a stream that was never opened
    stream_limit = 19,     ///< more streams than granted
    ack_beyond_sent = 20,  ///< an acknowledgement of data that was never sent
    too_fragmented = 21,   ///< too many separate pieces of a stream
    flood = 22,            ///< too many frames for ended streams

    // Reasons for ending that are not errors.
    session_ended = 32,      ///< the peer ended the session
    session_expired = 33,    ///< no channel within the grace period
    stream_forgotten = 34,   ///< the peer no longer knows a stream that has not ended here
    application_reset = 35,  ///< the application's own connection was reset
    shutting_down = 36,

    // Returned to the local caller only.
    no_such_stream = 64,
    no_such_channel = 65,
    too_many_streams = 66,  ///< wait until one ends
    ids_exhausted = 67,     ///< this session can open no more streams: create a new one
    too_many_channels = 68,
    closed = 69,   ///< finish() or end() was called before
    refused = 70,  ///< the service refused the channel; see the ChannelRefused event
};
[[nodiscard]] boost::system::error_code make_error_code(errc e);

/// @return true if `e` ends the session and not only the channel that brought it.
[[nodiscard]] constexpr bool ends_session(errc e) {
    return static_cast<std::uint16_t>(e) >= 16 && static_cast<std::uint16_t>(e) < 32;
}

/// Why a service refused a channel (REFUSED_HELLO).
enum class HelloRefusal : std::uint16_t {
    malformed = 1,
    version = 2,          ///< no version in common
    unknown_session = 3,  ///< "not mine": try another listener
    bad_proof = 4,
    replayed = 5,  ///< this channel number was seen before
    too_many_sessions = 6,
    shutting_down = 7,
};

/// Why a target was not reached (REFUSED). The application sees a reset; the logs show the text.
enum class OpenRefusal : std::uint16_t {
    unspecified = 0,
    connection_refused = 1,
    unreachable = 2,
    name_not_resolved = 3,
    timed_out = 4,
    not_allowed = 5,
    no_such_key = 6,
    limit_reached = 7,
};

[[nodiscard]] const char* describe(errc e);
[[nodiscard]] const char* describe(HelloRefusal code);
[[nodiscard]] const char* describe(OpenRefusal code);

}  // namespace hpb::session

template <>
struct boost::system::is_error_code_enum<hpb::session::errc> : std::true_type {};
