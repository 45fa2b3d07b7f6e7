#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/connection.hpp"
#include "relay/pending_sender.hpp"
#include "relay/rendezvous.hpp"

namespace hpb::relay {

/// A sender's request for a WebSocket (docs/protocol.md, "Rendezvous"): its upgrade is held back
/// until a listener opens the rendezvous or rejects it, the time limit is reached, or the sender
/// disconnects.
class SenderRequest {
public:
    explicit SenderRequest(Connection& connection);

    [[nodiscard]] net::awaitable<void> run();

private:
    /// From a sender that sends before its answer, at most this much and one more read is read.
    static constexpr std::size_t kMaxEarlyBytes = net::Slab::kSize;

    /// What watches the sender's connection while it waits; shared with the watching coroutine.
    struct Watch {
        explicit Watch(net::Stream& s) : stream(s) {}
        net::Stream& stream;
        std::vector<std::byte> early;
        bool stop = false;
        bool gone = false;
        bool ended = false;
    };

    /// nullopt: the sender disconnected; send no answer.
    using Settled = std::optional<Checked<RendezvousArrival>>;

    [[nodiscard]] Checked<std::shared_ptr<Entity>> authorize();
    [[nodiscard]] bool take_places(const Entity& entity);
    [[nodiscard]] net::awaitable<Settled> find_listener(std::shared_ptr<Entity> entity);
    [[nodiscard]] net::awaitable<PendingSender::Outcome> wait_for(PendingSender& sender,
                                                                  Watch& watch);
    [[nodiscard]] Checked<std::string> make_announcement(const ControlChannel& listener,
                                                         const std::string& key);
    [[nodiscard]] net::awaitable<void> join(RendezvousArrival arrival);
    [[nodiscard]] net::awaitable<void> stop_watching(Watch& watch, PendingSender& sender);
    static net::awaitable<void> watch_connection(std::shared_ptr<Watch> watch,
                                                 std::shared_ptr<PendingSender> sender);

    Connection& connection_;
    const config::RelayOptions& options_;
    net::Clock::time_point deadline_;
    Affinity affinity_;
    ConnectionTicket listener_place_;
    std::string listener_id_;  // of the one that accepted, for the log
};

}  // namespace hpb::relay
