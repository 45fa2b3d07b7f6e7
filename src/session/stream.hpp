#pragma once

#include <boost/intrusive/list.hpp>
#include <string>

#include "session/events.hpp"
#include "session/stream_receive.hpp"
#include "session/stream_send.hpp"
#include "session/window_tuner.hpp"

namespace hpb::session {

using ListHook =
    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// One stream of a session: its two halves, what must still be sent to the peer about it, and its
/// hooks in the session's lists.
///
///            open()/OPEN        both halves done
///   (none) -------------> live -----------------> (none), CLOSED to the peer
///                          | reset()                          ^
///                          +---------> resetting -------------+ CLOSED or RESET from the peer
///                          | refuse()                         |
///                          +---------> refusing --------------+
///                          | RESET, REFUSED from the peer
///                          +---------> (none), CLOSED to the peer
struct Stream {
    enum class State : std::uint8_t {
        live,
        resetting,  ///< sends RESET until the peer knows
        refusing,   ///< sends REFUSED until the peer knows
    };
    /// Control frames that must be resent until they are known to have arrived.
    enum Dirty : std::uint8_t { kOpen = 1, kOpened = 2, kAck = 4, kEnd = 8 };

    Stream(StreamId id_, bool local_, const WindowTuner& tuner_, SlabPool& pool)
        : id(id_), local(local_), tuner(tuner_), send(pool), receive(pool) {}

    [[nodiscard]] bool is_dirty(Dirty what) const { return (dirty & what) != 0; }
    /// DATA may be sent: not before OPEN, and only while the stream is live.
    [[nodiscard]] bool has_data() const {
        return state == State::live && !is_dirty(kOpen) && send.has_pending();
    }
    /// Its owner has neither read nor written a byte.
    [[nodiscard]] bool is_unused() const { return receive.consumed() == 0 && send.written() == 0; }
    /// Both halves are finished; the owner has consumed everything.
    [[nodiscard]] bool done() const {
        return state == State::live && receive.done() && (send.done() || peer_forgot);
    }

    StreamId id;
    bool local;              ///< opened by us
    bool confirmed = false;  ///< local: the peer has shown that it knows the stream
    State state = State::live;
    std::uint8_t dirty = 0;
    bool accepted = false;  ///< local: the `accepted` event was reported; else: accept() was called
    bool peer_forgot = false;    ///< CLOSED has arrived: nothing more is sent
    bool told_readable = false;  ///< reported, and not all of it consumed yet
    bool told_finished = false;
    bool wants_write = false;
    bool unused = false;  ///< ended without having carried a byte
    bool fresh = false;   ///< in the scheduler's list of streams that have just become active
    ChannelId home;       ///< the channel that it prefers; none while there is no channel
    std::int64_t deficit = 0;
    WindowTuner tuner;
    std::uint64_t acked_position = 0;  ///< what our last ACK said
    OpenInfo info;
    errc reset_code = errc::none;
    OpenRefusal refusal{};
    std::string text;  ///< of a refusal
    SendStream send;
    ReceiveStream receive;
    ListHook control_hook;  ///< has control frames to send; in its home channel's list
    ListHook data_hook;     ///< has data; in its home channel's scheduler
    ListHook ack_hook;      ///< has received something not yet acknowledged
    ListHook waiting_hook;  ///< waits for the send budget
    ListHook starved_hook;  ///< waits for the receive budget
};

template <ListHook Stream::* Hook>
using StreamList =
    boost::intrusive::list<Stream, boost::intrusive::member_hook<Stream, ListHook, Hook>,
                           boost::intrusive::constant_time_size<false>>;

}  // namespace hpb::session
