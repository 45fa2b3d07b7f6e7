#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "agent/service/service_session.hpp"
#include "hc/control_message.hpp"
#include "session/session_table.hpp"

namespace hpb::agent::service {

/// The v2 sessions of one listener: accepts the channels that client agents open, reads HELLO, and
/// finds or creates their session. Lives on one thread, with all its sessions.
class SessionHost : public std::enable_shared_from_this<SessionHost> {
public:
    /// Time limit for a HELLO on an open channel.
    static constexpr std::chrono::seconds kHelloLimit{10};

    /// @param listener_id  the listener's id at the relay: client agents return to it.
    SessionHost(const net::asio::any_io_executor& executor,
                std::shared_ptr<const ServiceContext> context, const std::string& listener_id);

    /// Opens the rendezvous of a client agent that speaks v2, and gives it to its session.
    static net::awaitable<void> accept(std::shared_ptr<SessionHost> self,
                                       std::shared_ptr<const ServedEntity> entity,
                                       hc::AcceptMessage accept, Place place);
    /// No new sessions from now on. On the host's thread.
    void stop() { table_.drain(); }

    [[nodiscard]] const net::asio::any_io_executor& executor() const { return executor_; }

private:
    struct Greeting;
    [[nodiscard]] static net::awaitable<Result<Greeting>> read_hello(net::WebSocket& websocket);
    void admit(net::WebSocket& websocket, const std::shared_ptr<const ServedEntity>& entity,
               const std::string& source, Greeting greeting, Place place);
    static net::awaitable<void> refuse(net::WebSocket websocket,
                                       session::RefusedHelloFrame refusal);
    void note_refusal(const ServedEntity& entity, const std::string& session,
                      const session::RefusedHelloFrame& refusal);

    net::asio::any_io_executor executor_;
    std::shared_ptr<const ServiceContext> context_;
    session::SlabPool pool_;
    session::SessionTable table_;
    std::unordered_map<session::SessionId, std::shared_ptr<ServiceSession>> sessions_;
};

}  // namespace hpb::agent::service
