#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "http/message.hpp"
#include "net/signal.hpp"
#include "net/stream.hpp"
#include "relay/connection_limits.hpp"

namespace hpb::relay {

/// The listener's rendezvous connection while it moves to the sender's thread: its upgrade was
/// requested and is not answered yet.
struct RendezvousArrival {
    net::Stream::Detached connection;
    ConnectionTicket ticket;
    http::RequestHead request;
    std::vector<std::byte> early;  ///< bytes received after the request
};

/// The listener rejected the sender (docs/protocol.md, "Reject").
struct RendezvousRejection {
    unsigned status = 0;
    std::string description;
};

struct ListenerLost {};

/// A sender whose upgrade is held back until a listener decides. Lives on the sender's thread; the
/// static functions are how other threads reach it.
class PendingSender : public std::enable_shared_from_this<PendingSender> {
public:
    using Outcome =
        std::variant<std::monostate, RendezvousArrival, RendezvousRejection, ListenerLost>;

    explicit PendingSender(const net::asio::any_io_executor& executor)
        : executor_(executor), changed_(executor) {}

    static void deliver(const std::shared_ptr<PendingSender>& self, Outcome outcome) {
        // A move-only outcome travels in the handler itself.
        net::asio::post(self->executor_, [self, outcome = std::move(outcome)]() mutable {
            if (self->outcome_.index() != 0) return;
            self->outcome_ = std::move(outcome);
            self->changed_.notify_all();
        });
    }
    static void listener_lost(const std::shared_ptr<PendingSender>& self) {
        deliver(self, ListenerLost{});
    }

    /// Notified when outcome() changes; may also be notified by others that end the sender's wait.
    [[nodiscard]] net::Signal& changed() { return changed_; }
    [[nodiscard]] const Outcome& outcome() const { return outcome_; }
    [[nodiscard]] Outcome take_outcome() { return std::exchange(outcome_, Outcome{}); }

private:
    net::asio::any_io_executor executor_;
    net::Signal changed_;
    Outcome outcome_;
};

}  // namespace hpb::relay
