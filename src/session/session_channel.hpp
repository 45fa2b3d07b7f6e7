#pragma once

#include "session/frame_codec.hpp"
#include "session/outbox.hpp"
#include "session/scheduler.hpp"

namespace hpb::session {

/// The session's state of one channel.
///
///   client: hello_sent --WELCOME--> open --close--> open, closing --both CHANNEL_CLOSE--> drained
///   service:                        open    (any) --error--> failed     (any) --lost--> (none)
struct SessionChannel {
    enum class State : std::uint8_t {
        hello_sent,  ///< the client waits for WELCOME
        open,
        failed,  ///< accepts no more input; the rest of the outbox tells the peer why
    };

    SessionChannel(ChannelId id_, const Limits& limits, Clock::time_point now)
        : id(id_),
          decoder(limits.max_frame),
          scheduler(limits.shared_chunk),
          last_received(now),
          last_ping(now) {}

    /// Streams may prefer it.
    [[nodiscard]] bool is_usable() const { return state == State::open && !closing; }

    ChannelId id;
    State state = State::open;
    FrameDecoder decoder;
    Outbox outbox;
    Scheduler scheduler;
    StreamList<&Stream::control_hook> control;
    std::size_t streams = 0;  ///< that prefer this channel
    Clock::time_point last_received;
    Clock::time_point last_ping;
    unsigned probes = 0;  ///< pings answered at the beginning
    std::uint64_t ping_token = 0;
    std::uint64_t pong_token = 0;
    bool ping_due = false;
    bool pong_due = false;
    bool ping_unanswered = false;
    bool carries_data = false;   ///< since the last ping
    bool pings_quietly = false;  ///< no data had been carried before the last ping
    bool closing = false;        ///< we send nothing more but CHANNEL_CLOSE
    bool close_sent = false;
    bool close_received = false;
    bool told_dead = false;
    bool told_drained = false;
    bool skips_data = false;  ///< the incoming DATA frame belongs to no stream
    Nonce nonce{};            ///< client: of its HELLO
};

}  // namespace hpb::session
