// Two ends of a session and the channels between them: what can happen to the channels, at random.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "session/memory_budget.hpp"
#include "session/session_table.hpp"
#include "simulation/applications.hpp"

namespace hpb::session::simulation {

/// One direction of a channel: bytes on their way.
struct Wire {
    std::vector<std::byte> bytes;
    std::size_t head = 0;
    bool black_hole = false;  // takes everything, brings nothing
    [[nodiscard]] std::size_t size() const { return bytes.size() - head; }
};

/// One channel, as the network sees it. Direction 0 goes to the service.
struct Link {
    ChannelId channel;
    std::array<Wire, 2> wire;
    std::array<bool, 2> holds = {true, false};  // the client's end, the service's end
    bool cut = false;  // nothing new goes out; what is on its way may arrive
    bool refused = false;
    bool drained = false;
    HelloReader reader;
    std::vector<std::byte> hello;  // as sent: an eavesdropper's copy
};

/// What a run does; from its seed.
struct Plan {
    Limits limits;
    std::size_t slab_size = 0;
    unsigned steps = 0;
    double fault = 0;  // probability of one in a step
    std::uint64_t stream_bytes = 0;
    std::uint64_t shared = 0;  // budget of both ends together; 0: each has only its own
    bool service_opens = false;
    bool expires = false;
    bool ends = false;  // one side ends the session in the middle
};
[[nodiscard]] Plan plan_of(Random& random);

/// Figures of a run, for the summary.
struct Outcome {
    std::uint64_t streams = 0;
    std::uint64_t bytes = 0;
    std::uint64_t losses = 0;
    std::uint64_t resent = 0;
    std::uint64_t repeated = 0;
    std::uint64_t closed = 0;
    std::uint64_t reset = 0;
    std::uint64_t refused = 0;
    std::uint64_t expired = 0;
    std::uint64_t replays = 0;
    std::uint64_t grown = 0;
    std::uint64_t shared = 0;
};

class World {
public:
    explicit World(std::uint64_t seed);
    /// Throws Violation.
    Outcome run();

private:
    void step();
    void fault();
    void dial();
    void pull(Link& link, int side, std::size_t wanted);
    void deliver(Link& link, int side, std::size_t most);
    void greet(Link& link, std::size_t most);
    void cut(Link& link);
    void notice(Link& link, int side);
    void replay_hello();
    void guess_secret();
    void pass_time(milliseconds by);
    void take_events();
    void check();
    void settle();
    void expire();
    void check_empty();
    [[nodiscard]] Session* session(int side) {
        return side == 0 ? client_.get() : table_.find(identity_.id);
    }
    [[nodiscard]] Nonce nonce();
    [[nodiscard]] Limits limits();
    void check_shared();
    [[nodiscard]] Link* any_link();

    Random random_;
    Plan plan_;
    bool calm_ = false;  // no more partial writes
    Clock::time_point now_{};
    MemoryBudget shared_;  // as if both ends were sessions of one process
    SlabPool client_pool_;
    SlabPool service_pool_;
    Identity identity_;
    SessionTable table_;
    std::unique_ptr<Session> client_;
    std::vector<std::unique_ptr<Link>> links_;
    std::vector<std::vector<std::byte>> heard_;  // HELLOs that were admitted
    Applications apps_;
    Outcome outcome_;
};

}  // namespace hpb::session::simulation
