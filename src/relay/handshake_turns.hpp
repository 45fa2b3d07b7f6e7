#pragma once

#include <list>
#include <string>
#include <unordered_map>

#include "net/tls/handshake.hpp"
#include "relay/handshake_table.hpp"

namespace hpb::relay {

/// Schedules the TLS handshakes of one thread: one at a time, one source after the other, with a
/// pause after each that leaves most of the thread's time to established connections. A thousand
/// agents that reconnect from one address are done within a second or two.
class HandshakeTurns {
public:
    /// The pause after a handshake's step, in multiples of the time it took.
    static constexpr int kPause = 2;

    explicit HandshakeTurns(const net::asio::any_io_executor& executor) : pause_(executor) {}
    HandshakeTurns(const HandshakeTurns&) = delete;
    HandshakeTurns& operator=(const HandshakeTurns&) = delete;

    /// The turns of one handshake.
    class Pace : public net::HandshakePace {
    public:
        Pace(HandshakeTurns& turns, HandshakeTable::Entry& entry) : turns_(turns), entry_(entry) {}
        [[nodiscard]] net::awaitable<bool> begin_step() override;
        void end_step() override;

    private:
        friend class HandshakeTurns;
        HandshakeTurns& turns_;
        HandshakeTable::Entry& entry_;
        bool granted_ = false;
        std::chrono::nanoseconds began_{0};  // of the thread's processor time
    };

private:
    struct Queue {
        std::string source;
        std::list<Pace*> waiting;
    };
    using Round = std::list<Queue>;

    void enqueue(Pace& pace);
    void leave(Pace& pace);
    void finish(std::chrono::nanoseconds spent);
    void grant_next();

    net::asio::steady_timer pause_;
    bool busy_ = false;  // a turn is in progress, or the pause after it
    Round round_;        // begins with the source whose turn is next
    std::unordered_map<std::string, Round::iterator> sources_;
};

}  // namespace hpb::relay
