#pragma once

#include <string>

#include "session/codes.hpp"
#include "session/frame_codec.hpp"
#include "session/ids.hpp"

namespace hpb::session {

/// What a session tells its owner. Every stream ends with exactly one of Closed, Refused and Reset,
/// except those that the owner itself reset or refused: they end with that call.
struct Event {
    enum class Kind : std::uint8_t {
        // Channels.
        channel_open,     ///< `channel` carries streams; `text` is the service's listener id
        channel_refused,  ///< `hello` and `text` say why; drop the channel
        channel_dead,     ///< silent for too long, or lost to the peer: drop it, call
                          ///< on_channel_lost()
        channel_drained,  ///< closed by both sides, nothing outstanding: it may be dropped
        // Streams.
        opened,            ///< by the peer, with `open`: accept() or refuse() it
        accepted,          ///< the service has reached the target
        refused,           ///< the service has not reached it; `refusal` and `text` say why
        readable,          ///< read() has bytes; again after all of them were consumed
        inbound_finished,  ///< everything was consumed, and the peer sends nothing more
        writable,          ///< write() accepts bytes again, after it accepted less than was offered
        closed,            ///< both directions have ended, everything arrived
        reset,             ///< `code` says why
        // The session.
        ended,  ///< with `code`, after a `reset` of every stream; nothing follows
    };
    Kind kind{};
    StreamId stream;
    ChannelId channel;
    errc code = errc::none;
    HelloRefusal hello{};
    OpenRefusal refusal{};
    OpenInfo open;
    std::string text;
};

}  // namespace hpb::session
