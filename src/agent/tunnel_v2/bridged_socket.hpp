#pragma once

#include <cstdint>
#include <memory>

#include "agent/place.hpp"
#include "agent/vanished_peer.hpp"
#include "net/stream.hpp"
#include "session/codes.hpp"
#include "session/ids.hpp"

namespace hpb::agent::tunnel_v2 {

class SessionDriver;

/// An application's or a target's TCP connection, bridged with one stream of a v2 session: its data
/// goes into the stream while there is credit, the stream's data is written to it; FIN and reset
/// are preserved (docs/session-protocol.md, "TCP semantics").
///
/// Uses callbacks rather than coroutines: an idle connection costs one pending operation and no
/// buffer. Owned by its driver until the stream is over, and by its pending operations.
class BridgedSocket : public std::enable_shared_from_this<BridgedSocket> {
public:
    BridgedSocket(SessionDriver& driver, session::StreamId stream, net::Stream socket, Place place);

    void start(const std::shared_ptr<SessionDriver>& driver);

    // Events of the stream, from the session.
    void on_readable();
    void on_inbound_finished();
    void on_writable();
    void on_closed();
    /// The stream was reset or refused, or its session has ended.
    void on_reset();

    /// Ends both: resets the socket and the stream.
    void abort();

    [[nodiscard]] session::StreamId stream() const { return stream_; }
    [[nodiscard]] net::Clock::time_point last_activity() const { return last_activity_; }
    /// Data is in flight to the peer's machine, which has acknowledged nothing for `limit`.
    [[nodiscard]] bool has_vanished(net::Clock::time_point now, std::chrono::seconds limit);

private:
    using Self = std::shared_ptr<BridgedSocket>;
    enum class Reading : std::uint8_t {
        idle,        ///< not begun
        for_bytes,   ///< a wait for the socket is pending
        for_credit,  ///< the stream accepts nothing more for now
        for_end,     ///< the socket has sent everything: only a reset can still occur
        done
    };

    enum class Phase : std::uint8_t {
        open,
        resetting,  ///< the socket was reset; the stream is once what was sent has arrived
        over        ///< the stream has ended or was reset, or its session is over; nothing follows
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
    [[nodiscard]] bool is_over() const { return phase_ == Phase::over; }
    static net::awaitable<void> reset_when_delivered(Self self,
                                                     std::shared_ptr<SessionDriver> driver);
    static net::awaitable<void> close_with_reset(Self self);

    SessionDriver* driver_;  // outlives this object until it is over
    // Many connections are idle: the members are in an order that leaves no gaps.
    session::StreamId stream_;
    std::uint32_t expected_;  // bytes that the next read makes room for
    net::Stream socket_;
    Place place_;
    net::Clock::time_point last_activity_;
    VanishedPeer vanished_;
    Phase phase_ = Phase::open;
    Reading reading_ = Reading::idle;
    bool write_blocked_ = false;  // a wait for room in the socket is pending
    bool inbound_over_ = false;   // the peer's end was forwarded
    bool watching_ = false;       // a wait for the socket's reset is pending
};

}  // namespace hpb::agent::tunnel_v2
