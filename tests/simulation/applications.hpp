// What the applications at both ends do with the streams of a simulated session, and what has to be
// true of it: the oracle of the simulation.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "session/session.hpp"

namespace hpb::session::simulation {

/// A broken invariant.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void require(bool condition, const std::string& what) {
    if (!condition) throw Violation(what);
}

using Random = std::mt19937_64;

/// Uniform in [0, n).
inline std::uint64_t below(Random& random, std::uint64_t n) {
    return random() % n;
}
inline bool chance(Random& random, double p) {
    return static_cast<double>(random() >> 11) * 0x1p-53 < p;
}
/// About uniform in the logarithm: small sizes and large ones are equally likely.
inline std::uint64_t size_up_to(Random& random, std::uint64_t most) {
    std::uint64_t top = 1;
    while (top < most && chance(random, 0.92)) top *= 2;
    return 1 + below(random, std::min(top, most));
}

/// The byte that belongs at an offset of a stream's direction.
inline std::byte expected_byte(StreamId stream, bool from_client, std::uint64_t offset) {
    std::uint64_t x = (std::uint64_t{stream.value} << 33) ^ (offset * 2 + (from_client ? 1 : 0));
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ULL;
    return static_cast<std::byte>(x >> 40);
}

enum class End : std::uint8_t { none, closed, reset, refused, reset_by_self, refused_by_self };

/// One application's end of a stream.
struct Half {
    bool exists = false;
    std::uint64_t to_write = 0;  // of bytes, in its whole life
    std::uint64_t written = 0;
    std::uint64_t read = 0;
    bool finished = false;       // has called finish()
    bool read_finished = false;  // has been told that the peer's bytes are all there
    bool may_write = true;       // not waiting for a writable event
    bool may_read = false;       // told readable
    bool accepted = false;
    End end = End::none;
    std::uint64_t held = 0;  // by its receiving side, when last looked at
    std::uint64_t window = 0;
};

struct Conversation {
    std::array<Half, 2> half;  // of the client's and of the service's application
    bool stalled = false;      // nobody reads for now
};

/// The applications of both ends. `sides` are indices: 0 the client, 1 the service.
class Applications {
public:
    Applications(Random& random, const Clock::time_point& now) : random_(random), now_(now) {}

    /// Does something at one end, if the session lives.
    void act(Session& session, int side);
    /// Reads, writes and finishes all that it can: no whims. @return true if anything happened.
    bool settle(Session& session, int side);
    void take_events(Session& session, int side);

    void open(Session& session, int side, std::uint64_t to_write);
    void may_expire() { session_may_end_ = true; }
    /// Every stream has ended in one way at both ends.
    void check_all_ended() const;
    /// Credit as both ends see it, and what was written under it.
    void check_credit(const Session& client, const Session& service, const Limits& limits);
    [[nodiscard]] const std::map<std::uint32_t, Conversation>& all() const { return all_; }
    [[nodiscard]] bool saw_ended(int side) const {
        return ended_.at(static_cast<std::size_t>(side));
    }
    [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
    /// How often a window was found larger than at the last look.
    [[nodiscard]] std::uint64_t grown() const { return grown_; }
    [[nodiscard]] std::size_t count(End end) const;
    /// Channels that the sessions no longer want, as their events said.
    std::array<std::vector<Event>, 2> channel_events;

private:
    void on_event(Session& session, int side, const Event& event);
    void on_end(int side, StreamId id, End end);
    void check_window(const Stream& stream, int side, const Limits& limits);
    bool write_some(Session& session, int side, StreamId id, std::uint64_t most);
    bool fill_some(Session& session, int side, StreamId id, std::uint64_t most);
    bool read_some(Session& session, int side, StreamId id, std::uint64_t most);
    bool finish(Session& session, int side, StreamId id);
    void reset(Session& session, int side, StreamId id);
    void answer_open(Session& session, int side, StreamId id, bool accept);
    Half& half(StreamId id, int side) {
        return all_.at(id.value).half.at(static_cast<std::size_t>(side));
    }
    Half& other(StreamId id, int side) { return half(id, 1 - side); }

    Random& random_;
    const Clock::time_point& now_;
    std::map<std::uint32_t, Conversation> all_;
    std::vector<std::uint32_t> live_;  // not ended at both ends
    std::array<std::set<std::uint32_t>, 2> to_answer_;
    std::array<bool, 2> ended_{};
    bool session_may_end_ = false;
    std::uint64_t bytes_read_ = 0;
    std::uint64_t grown_ = 0;
};

}  // namespace hpb::session::simulation
