#pragma once

#include <memory>

#include "agent/place.hpp"
#include "agent/vanished_peer.hpp"
#include "net/stream.hpp"
#include "session/codes.hpp"
#include "session/ids.hpp"

namespace hpb::agent {

class SessionDriver;

/// An application's or a target's TCP connection, bridged with one stream of a v2 session: what it
/// sends goes into the stream for as long as there is credit, what the stream brings is written to
/// it; ends are carried as what they are (docs/session-protocol.md, "TCP semantics").
///
/// Waits by callbacks rather than coroutines: an idle connection costs one pending operation and no
/// buffer. Owned by its driver until the stream is over, and by its pending operations.
class BridgedSocket : public std::enable_shared_from_this<BridgedSocket> {
public:
    BridgedSocket(SessionDriver& driver, session::StreamId stream, net::Stream socket, Place place);

    void start(const std::shared_ptr<SessionDriver>& driver);

    // What the session says of the stream.
    void on_readable();
    void on_inbound_finished();
    void on_writable();
    void on_closed();
    /// It was reset or refused, or its session is over.
    void on_reset();

    /// Ends both: a reset here and there.
    void abort();

    [[nodiscard]] session::StreamId stream() const { return stream_; }
    [[nodiscard]] net::Clock::time_point last_activity() const { return last_activity_; }
    /// Something is on its way to the peer's machine, which has said nothing for `limit`.
    [[nodiscard]] bool has_vanished(net::Clock::time_point now, std::chrono::seconds limit);

private:
    using Self = std::shared_ptr<BridgedSocket>;
    enum class Reading {
        idle,        ///< not begun
        for_bytes,   ///< a wait for the socket is pending
        for_credit,  ///< the stream takes nothing more for now
        for_end,     ///< the socket has sent all: only a reset can still come
        done
    };

    void read_more();
    [[nodiscard]] bool read_once(std::size_t& turn);
    void wait_for_bytes();
    void watch_for_reset();
    void write_more();
    void wait_for_room();
    void on_local_end();
    void on_local_reset();
    void release(const std::shared_ptr<SessionDriver>& driver);
    static net::awaitable<void> reset_when_delivered(Self self,
                                                     std::shared_ptr<SessionDriver> driver);
    static net::awaitable<void> close_with_reset(Self self);

    SessionDriver* driver_;  // alive for as long as this is not over
    session::StreamId stream_;
    net::Stream socket_;
    Place place_;
    net::Clock::time_point last_activity_;
    VanishedPeer vanished_;
    Reading reading_ = Reading::idle;
    std::size_t expected_;        // bytes that the next read makes room for
    bool write_blocked_ = false;  // a wait for room in the socket is pending
    bool inbound_over_ = false;   // the peer's end was passed on
    bool watching_ = false;       // a wait for the socket's reset is pending
    bool resetting_ = false;      // it was reset; the stream will be
    bool over_ = false;
};

}  // namespace hpb::agent
