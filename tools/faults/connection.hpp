#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "faults/command.hpp"
#include "faults/shaping.hpp"
#include "faults/slab_queue.hpp"
#include "net/coro.hpp"
#include "net/stream.hpp"

namespace hpb::faults {

using net::awaitable;

/// What a link does with bytes.
enum class Mode {
    flowing,
    stalled,     ///< reads and writes nothing; what is under way goes on afterwards
    blackholed,  ///< reads everything and throws it away; writes nothing
};

/// One direction of a link.
struct Lane {
    LaneSettings settings;
    Throttle throttle;
    std::uint64_t bytes = 0;  ///< written to the other end
};

class Connection;

/// What the connections of a link share. One thread.
struct LinkState {
    HostPort target;
    Mode mode = Mode::flowing;
    std::array<Lane, 2> lanes;
    std::uint64_t swallowed = 0;  ///< bytes that were thrown away
    std::uint64_t unreached = 0;  ///< dials that failed
    std::size_t open = 0;         ///< connections
    bool dial_failing = false;    ///< the last dial failed, and that has been said

    [[nodiscard]] Lane& lane(Way way) { return lanes[index_of(way)]; }
    [[nodiscard]] Duration round_trip() const {
        return lanes[0].settings.delay + lanes[1].settings.delay;
    }
};

/// One proxied connection: a client's socket, the target's, and what is between them. It is kept
/// alive by its coroutines, which end when both sockets are closed. One thread.
///
/// The TCP handshake takes the time that it would take on the path: the target sees the connection
/// after one delay, the client's first bytes leave after a round trip, the target's after one and a
/// half; a refusal reaches the client after a round trip.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(std::shared_ptr<LinkState> link, net::Stream client);
    /// Starts the coroutines.
    void start();

    /// The link's mode or settings have changed.
    void wake();
    /// The link begins to be a black hole: what is in flight is lost.
    void enter_blackhole();
    /// True if bytes or an end got lost, so that the rest must not reach anybody as if it were all.
    [[nodiscard]] bool has_hole() const { return has_hole_; }

    /// RST to both ends, now.
    void reset();
    /// FIN to both ends, now: what is in flight is lost, what still comes is thrown away.
    void cut();
    /// Passes `bytes` more in one direction, then resets.
    void truncate(Way way, std::uint64_t bytes);

    [[nodiscard]] bool is_over() const { return over_; }

private:
    enum class End { none, fin, reset };
    enum Side : std::size_t { kClient = 0, kTarget = 1 };

    struct Half {
        explicit Half(const net::asio::any_io_executor& executor)
            : reader_wake(executor), writer_wake(executor) {}
        SlabQueue bytes;
        ReleaseSchedule schedule;  // of `bytes`
        End end = End::none;       // follows the bytes
        Clock::time_point end_release{};
        bool end_sent = false;
        std::optional<std::uint64_t> allowance;  // of truncate
        bool reader_waits_for_room = false;
        bool writer_blocked = false;          // waits for the socket, not for time
        Clock::time_point writer_deadline{};  // when not blocked
        net::asio::steady_timer reader_wake;
        net::asio::steady_timer writer_wake;
    };

    // Way w goes from side w to the other one.
    static Side source_of(Way way) { return static_cast<Side>(index_of(way)); }
    static Side destination_of(Way way) { return way == Way::to_target ? kTarget : kClient; }
    Half& half(Way way) { return halves_[index_of(way)]; }
    Lane& lane(Way way) { return link_->lane(way); }
    [[nodiscard]] bool is_stalled() const { return !cut_ && link_->mode == Mode::stalled; }
    [[nodiscard]] bool is_swallowing(Way way) const;

    static awaitable<void> run(std::shared_ptr<Connection> self);
    awaitable<bool> reach_target();
    static awaitable<void> read(std::shared_ptr<Connection> self, Way way, Clock::time_point from);
    awaitable<void> read_once(Way way);
    static awaitable<void> write(std::shared_ptr<Connection> self, Way way);
    static awaitable<void> watch(std::shared_ptr<Connection> self, Side side);
    static awaitable<void> reset_when_delivered(std::shared_ptr<Connection> self, Way way);
    static awaitable<void> reset_although_blocked(std::shared_ptr<Connection> self, Way way);
    static awaitable<void> limit_cut(std::shared_ptr<Connection> self);
    awaitable<void> sleep(net::asio::steady_timer& timer, Clock::time_point until);

    enum class Drained { idle, later, blocked };
    Drained drain(Way way, Clock::time_point& when);
    bool pass_front(Way way, std::size_t bytes);
    void pass_end(Way way);
    Clock::time_point room_at(Way way, std::size_t& bytes);
    void received(Way way, std::size_t bytes);
    void swallow(std::size_t bytes);
    void discard(Way way);
    void on_fin(Way way);
    void on_error(Side side);
    void on_lost(Side side);
    void give_up_if_stuck(Way way);
    void finish();

    std::shared_ptr<LinkState> link_;
    net::asio::any_io_executor executor_;
    std::array<std::optional<net::Stream>, 2> ends_;
    std::array<bool, 2> broken_{};  // nothing can be sent to this side; what it sent is still read
    std::array<bool, 2> ended_{};   // nothing more comes from this side
    std::array<Half, 2> halves_;
    net::asio::steady_timer life_;
    Clock::time_point accepted_at_;
    bool has_hole_ = false;
    bool cut_ = false;
    bool over_ = false;
};

}  // namespace hpb::faults
