#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/token_bucket.hpp"
#include "session/budget.hpp"
#include "session/events.hpp"
#include "session/handshake.hpp"
#include "session/round_trip.hpp"
#include "session/session_channel.hpp"

namespace hpb::session {

/// Who a session is and how its client proves it.
struct Identity {
    SessionId id;
    Secret secret{};
};

/// Counters for logs and metrics; they only grow.
struct Stats {
    std::uint64_t channels_opened = 0;
    std::uint64_t channels_lost = 0;
    std::uint64_t resumes = 0;  ///< a channel opened when there was none, but for the first
    std::uint64_t bytes_requeued = 0;
    std::uint64_t bytes_resent = 0;
    std::uint64_t bytes_repeated = 0;  ///< received again
    std::uint64_t bytes_sent = 0;      ///< payload, each byte once
    std::uint64_t bytes_received = 0;  ///< payload in order, each byte once
    // By either end.
    std::uint64_t streams_opened = 0;
    std::uint64_t streams_refused = 0;
    std::uint64_t streams_reset = 0;   ///< also those that ended with their session
    std::uint64_t streams_unused = 0;  ///< the peer's that ended without having carried a byte
    std::uint64_t memory_waits = 0;    ///< times that a stream had to wait for a budget
};

/// One end of a v2 session (docs/session-protocol.md). A pure state machine: performs no I/O, reads
/// no clock, owns no thread. Not thread-safe; the owner serialises calls.
///
/// Loop of the owner: on_bytes(), on_timeout() or a call of its own -> next_event() until there is
/// none -> pending_output() of every channel that is not being written to -> output_sent().
class Session {
public:
    /// @param pool  outlives the session; several sessions of one thread may share it.
    Session(Role role, const Identity& identity, const Limits& limits, SlabPool& pool,
            Clock::time_point now);

    // ---- channels

    /// Client: begins a channel; its output begins with HELLO. `nonce` is 16 random bytes. Streams
    /// wait for the channel_open event.
    /// @return too_many_channels: at the limit, or the session's first channel is not yet open.
    [[nodiscard]] Result<ChannelId> attach(const Nonce& nonce, Clock::time_point now);
    /// Service: accepts a channel that began with `hello`, and answers WELCOME on it. Over the
    /// limit of channels, the one silent for longest is dropped (channel_dead).
    /// @return why it was refused, or nullopt.
    [[nodiscard]] std::optional<HelloRefusal> admit(const HelloFrame& hello, const Nonce& nonce,
                                                    std::string_view listener_id,
                                                    Clock::time_point now);
    /// Closes a channel cleanly: its streams move to others, then CHANNEL_CLOSE is sent. See
    /// channel_drained.
    void close_channel(ChannelId channel);
    /// A channel is gone, for whatever reason: unacknowledged data that it carried is requeued.
    /// Call this for each channel once nothing more is written to it, also after channel_dead.
    void on_channel_lost(ChannelId channel, Clock::time_point now);
    /// Consumes bytes from the peer, in any chunking. `in` is valid only during the call.
    /// @return ok, or the error for which the channel must be dropped: send what is pending on it,
    /// drop it, call on_channel_lost(). The session continues unless an `ended` event follows.
    [[nodiscard]] Result<void> on_bytes(ChannelId channel, ByteSpan in, Clock::time_point now);

    /// What to send on `channel`: at most one frame more than `wanted` bytes. The list is valid
    /// until the next call of this function; the bytes until output_sent() or on_channel_lost() for
    /// this channel, whatever else is called meanwhile: call those after a write has ended.
    [[nodiscard]] std::span<const ByteSpan> pending_output(ChannelId channel, std::size_t wanted);
    /// The first `size` bytes of it were sent.
    void output_sent(ChannelId channel, std::size_t size);

    /// When on_timeout() is next due.
    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;
    void on_timeout(Clock::time_point now);

    // ---- streams

    /// Opens a stream. @return too_many_streams: retry after one has ended, or after the
    /// first channel_open; ids_exhausted; closed: the session has ended.
    [[nodiscard]] Result<StreamId> open(const OpenInfo& info);
    /// The target of a stream that the peer opened was reached. @return no_such_stream or ok.
    [[nodiscard]] Result<void> accept(StreamId stream);
    /// The target was not reached; ends the stream. @return as accept(); closed if it was accepted
    /// before.
    [[nodiscard]] Result<void> refuse(StreamId stream, OpenRefusal code, std::string_view text);
    /// Queues as much of `data` as credit and the send budget allow.
    /// @return bytes accepted; if less than offered, a writable event will follow.
    [[nodiscard]] Result<std::size_t> write(StreamId stream, ByteSpan data);
    /// How many bytes write() would accept now; ask before fetching them. If 0, a writable event
    /// will follow, as after a write() that accepted less than was offered.
    /// @return 0 also for an unknown or finished stream; for those no event follows.
    [[nodiscard]] std::uint64_t write_room(StreamId stream);
    /// The same without a copy: memory for up to `size` of the bytes that write() would accept now,
    /// for the caller to fill at once. commit() must be the next call.
    /// @return pieces used; none where write_room() is 0.
    [[nodiscard]] std::size_t reserve(StreamId stream, std::uint64_t size,
                                      std::span<MutableByteSpan> out);
    /// Queues the first `size` bytes of what reserve() returned.
    void commit(StreamId stream, std::uint64_t size);
    /// Everything written, and FIN if finished, is acknowledged; or the stream is unknown.
    [[nodiscard]] bool all_acknowledged(StreamId stream) const;
    /// Nothing more will be written: half-close.
    [[nodiscard]] Result<void> finish(StreamId stream);
    /// The peer sends nothing more and everything it has sent was consumed: the state that the
    /// inbound_finished event reported, for an owner that could not act on it then.
    [[nodiscard]] bool inbound_finished(StreamId stream) const;
    /// Ends the stream at once, both ways; what is in flight may be lost. No event follows.
    void reset(StreamId stream, errc code = errc::application_reset);
    /// Fills `out` with received bytes in order. @return pieces used; 0 for an unknown stream.
    [[nodiscard]] std::size_t read(StreamId stream, std::span<HeldBytes> out) const;
    /// The owner is done with the first `size` bytes of read(); credit flows back. Repeats the
    /// readable event if bytes are left.
    void consumed(StreamId stream, std::size_t size, Clock::time_point now);
    /// Sets the stream's window from now on, budget permitting, instead of the automatic one.
    void set_window(StreamId stream, std::uint64_t window);

    // ---- the session

    [[nodiscard]] std::optional<Event> next_event();
    /// Ends the session: END_SESSION on every channel, a reset event for every stream.
    void end(errc code = errc::shutting_down);
    [[nodiscard]] bool is_ended() const { return ended_; }
    [[nodiscard]] const SessionId& id() const { return identity_.id; }
    [[nodiscard]] const Stats& stats() const { return stats_; }
    [[nodiscard]] std::size_t stream_count() const { return streams_.size(); }
    /// Streams whose owner wants to write but which have no credit: their peer does not read.
    /// Iterates over all streams; call it only occasionally.
    [[nodiscard]] std::size_t stalled_streams() const;
    /// The round-trip time (@see RoundTrip); negative before the first PONG.
    [[nodiscard]] std::chrono::microseconds round_trip() const { return round_trip_.smallest(); }
    [[nodiscard]] bool has_open_channel() const;
    [[nodiscard]] std::size_t channel_count() const { return channels_.size(); }
    [[nodiscard]] std::uint64_t send_budget_used() const { return send_budget_.used(); }
    [[nodiscard]] std::uint64_t receive_budget_used() const { return receive_budget_.used(); }
    [[nodiscard]] const SessionChannel* find_channel(ChannelId channel) const;
    [[nodiscard]] const Stream* find_stream(StreamId stream) const;

private:
    using State = Stream::State;

    // session.cpp: streams and the session
    [[nodiscard]] Stream* find(StreamId stream);
    [[nodiscard]] Stream& add_stream(StreamId id, bool local);
    void remove(Stream& stream);
    void remove_if_done(Stream& stream);
    void mark(Stream& stream, Stream::Dirty what);
    void wake(Stream& stream);
    void grant(Stream& stream);
    void feed_starved();
    void look_whether_light(const Stream& stream, Clock::time_point now);
    void tune(Stream& stream, std::size_t consumed, Clock::time_point now);
    [[nodiscard]] bool waits_for_others() const;
    void look_for_memory(Clock::time_point now);
    void wake_writers();
    [[nodiscard]] std::uint64_t writable_now(const Stream& stream) const;
    void want_to_write(Stream& stream);
    void tell_writable(Stream& stream);
    void tell_readable(Stream& stream);
    void tell_finished(Stream& stream);
    void peer_stream_ended();
    void peer_stream_wasted();
    void settle_unused(Clock::time_point now);
    void begin_end(Stream& stream, State state);
    void finish_session(errc told, errc wire);
    Event& tell(Event::Kind kind);
    Event& tell(Event::Kind kind, const Stream& stream);

    // session_channels.cpp
    [[nodiscard]] SessionChannel* find(ChannelId channel);
    [[nodiscard]] Parameters parameters() const;
    [[nodiscard]] errc take_parameters(const Parameters& theirs);
    [[nodiscard]] std::unique_ptr<SessionChannel> drop(SessionChannel& lost, Clock::time_point now);
    void channel_opened(SessionChannel& channel, std::string_view listener_id,
                        Clock::time_point now);
    static void send_ping(SessionChannel& channel, Clock::time_point now);
    void on_pong(SessionChannel& channel, std::uint64_t token, Clock::time_point now);
    void begin_close(SessionChannel& channel);
    void fail(SessionChannel& channel, errc why, Clock::time_point now);
    void forget_channel_of(Stream& stream, ChannelId channel);
    void rehome(Stream& stream);
    void set_home(Stream& stream, SessionChannel* channel);
    void tell_drained();
    [[nodiscard]] bool has_usable_channel() const;
    [[nodiscard]] milliseconds grace() const;
    [[nodiscard]] Clock::time_point ping_time(const SessionChannel& channel) const;
    [[nodiscard]] Clock::time_point death_time(const SessionChannel& channel) const;

    // session_input.cpp
    using Piece = FrameDecoder::Piece;
    [[nodiscard]] Result<void> on_piece(SessionChannel& channel, const Piece& piece,
                                        Clock::time_point now);
    [[nodiscard]] Result<void> on_handshake(SessionChannel& channel, const Piece& piece,
                                            Clock::time_point now);
    [[nodiscard]] Result<void> on_channel_frame(SessionChannel& channel, const Piece& piece,
                                                Clock::time_point now);
    [[nodiscard]] Result<void> on_stream_frame(SessionChannel& channel, const Piece& piece,
                                               Clock::time_point now);
    [[nodiscard]] Result<void> on_frame_of(Stream& stream, SessionChannel& channel,
                                           const Piece& piece, Clock::time_point now);
    [[nodiscard]] Result<void> on_unknown_stream(SessionChannel& channel, const Piece& piece);
    [[nodiscard]] errc use_peer_id(StreamId stream);
    [[nodiscard]] Result<void> on_open(SessionChannel& channel, const Piece& piece);
    [[nodiscard]] Result<void> on_data(Stream& stream, SessionChannel& channel, const Piece& piece,
                                       Clock::time_point now);
    [[nodiscard]] Result<void> on_ack(Stream& stream, const Piece& piece);
    [[nodiscard]] Result<void> on_end(Stream& stream, const Piece& piece);
    void on_closed(Stream& stream);
    [[nodiscard]] Result<void> on_peer_lost(ChannelId lost, Clock::time_point now);
    void acknowledge(Stream& stream, bool at_once, Clock::time_point now);
    void confirm(Stream& stream);
    [[nodiscard]] errc queue_closed(StreamId stream);
    [[nodiscard]] bool is_local(StreamId stream) const;

    // session_output.cpp
    [[nodiscard]] bool fill_one(SessionChannel& channel);
    void put_control(SessionChannel& channel, Stream& stream);
    [[nodiscard]] bool put_data(SessionChannel& channel);
    void put_data_frame(SessionChannel& channel, Stream& stream, const SendStream::Chunk& chunk);
    void put_ack(SessionChannel& channel, Stream& stream);

    Role role_;
    Identity identity_;
    Limits limits_;
    SlabPool* pool_;
    Parameters peer_;
    bool welcomed_ = false;  // the peer's parameters are known
    bool ended_ = false;

    std::vector<std::unique_ptr<SessionChannel>> channels_;
    std::vector<std::unique_ptr<SessionChannel>> dropped_;  // by us; the owner still holds them
    std::uint64_t next_channel_ = 1;                        // client
    ReplayWindow replay_;                                   // service
    RoundTrip round_trip_;
    StreamId last_light_stream_;     // whose reader has last consumed little
    Clock::time_point other_light_;  // when another stream's has
    Clock::time_point last_light_;   // and when its own
    Clock::time_point alone_since_;  // no open channel since then

    // Destroyed before the channels, whose lists they are in.
    std::unordered_map<std::uint32_t, std::unique_ptr<Stream>> streams_;
    Budget send_budget_;
    Budget receive_budget_;
    std::uint64_t reserved_ = 0;  // of the send budget, between reserve() and commit()
    StreamList<&Stream::waiting_hook> waiting_;  // for the send budget
    StreamList<&Stream::starved_hook> starved_;  // for the receive budget
    StreamList<&Stream::ack_hook> unacked_;
    std::optional<Clock::time_point> ack_time_;  // when they are acknowledged at the latest
    Clock::time_point memory_time_;   // when to check again for memory that other sessions released
    std::uint64_t known_window_ = 0;  // the largest that a stream has recently settled on
    Clock::time_point known_window_time_;  // and when

    std::uint32_t local_streams_ = 0;
    std::uint32_t next_local_;   // index of the next stream that we open
    std::uint32_t local_limit_;  // granted by the peer: indices below may be opened
    std::uint32_t next_peer_;    // index above all that the peer has opened
    std::uint32_t peer_ended_ = 0;
    std::uint32_t peer_limit_;  // what we have told the peer
    bool streams_due_ = false;
    // The peer's streams that have ended unused but still count as open.
    std::uint32_t unused_ = 0;
    Clock::time_point unused_time_;  // when one of them may stop counting
    TokenBucket unused_rate_;
    TokenBucket lost_rate_;                  // of CHANNEL_LOST
    std::vector<ChannelId> lost_due_;        // lost channels still to be reported to the peer
    std::vector<std::uint32_t> skipped_;     // peer's indices below next_peer_, not opened yet
    std::vector<std::uint32_t> closed_due_;  // ids to answer with CLOSED, descending

    std::vector<Event> events_;
    std::size_t next_event_ = 0;
    Stats stats_;
};

}  // namespace hpb::session
