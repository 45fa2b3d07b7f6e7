// The numbers that v2 puts on the wire for "no" (docs/session-protocol.md, "Codes"), and the errors
// of this layer.
#pragma once

#include <boost/system/error_code.hpp>
#include <cstdint>

#include "base/error.hpp"

namespace hpb::session {

/// What this layer finds wrong. Values up to 63 go over the wire in CHANNEL_CLOSE, END_SESSION and
/// RESET; the others are answers to the local caller only.
enum class errc : std::uint16_t {
    none = 0,  ///< on the wire: nothing is wrong

    // The channel's own: it is closed, the session lives on.
    malformed_frame = 1,  ///< a length or value that the frame cannot have
    unknown_frame = 2,    ///< a type that is neither known nor ignorable
    frame_too_large = 3,
    unexpected_frame = 4,   ///< a handshake frame later, or another frame before it
    welcome_rejected = 5,   ///< the service did not prove that it knows the secret
    frame_after_close = 6,  ///< a frame behind CHANNEL_CLOSE

    // The peer's: it has proved who it is and breaks the rules. The session ends.
    flow_control = 16,     ///< data beyond the credit
    final_size = 17,       ///< FIN moved, or data behind it
    wrong_stream = 18,     ///< wrong parity, or a frame for a stream that was never opened
    stream_limit = 19,     ///< more streams than granted
    ack_beyond_sent = 20,  ///< an acknowledgement of what was never sent
    too_fragmented = 21,   ///< too many separate pieces of a stream
    flood = 22,            ///< frames for ended streams without end

    // Reasons for ending that are nobody's fault.
    session_ended = 32,      ///< the peer ended the session
    session_expired = 33,    ///< no channel within the grace time
    stream_forgotten = 34,   ///< the peer no longer knows a stream that has not ended here
    application_reset = 35,  ///< the application's own connection was reset
    shutting_down = 36,

    // Answers to the local caller.
    no_such_stream = 64,
    no_such_channel = 65,
    too_many_streams = 66,  ///< wait until one ends
    ids_exhausted = 67,     ///< this session can open no more: make a new one
    too_many_channels = 68,
    closed = 69,   ///< finish() or end() was called before
    refused = 70,  ///< the service refused the channel; see the ChannelRefused event
};
[[nodiscard]] boost::system::error_code make_error_code(errc e);

/// @return true if `e` ends the session and not only the channel that brought it.
[[nodiscard]] constexpr bool ends_session(errc e) {
    return static_cast<std::uint16_t>(e) >= 16 && static_cast<std::uint16_t>(e) < 32;
}

/// Why a service did not take a channel (REFUSED_HELLO).
enum class HelloRefusal : std::uint16_t {
    malformed = 1,
    version = 2,          ///< no version in common
    unknown_session = 3,  ///< "not mine": try another listener
    bad_proof = 4,
    replayed = 5,  ///< this channel number was seen before
    too_many_sessions = 6,
    shutting_down = 7,
};

/// Why a target was not reached (REFUSED). The application sees a reset; the logs see the words.
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
