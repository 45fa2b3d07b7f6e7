#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/client/bridge.hpp"
#include "net/acceptor.hpp"

namespace hpb::agent::client {

/// The local port of one mapping: admits applications and hands them to the bridge of its hybrid
/// connection, on whose thread it lives.
class PortListener : public std::enable_shared_from_this<PortListener> {
public:
    /// Binds the port.
    /// @return an error that names the address and the reason.
    [[nodiscard]] static Result<std::shared_ptr<PortListener>> bind(
        std::shared_ptr<Bridge> bridge, std::shared_ptr<const ClientContext> context,
        config::ClientMapping mapping);

    PortListener(std::shared_ptr<net::Acceptor> acceptor, std::shared_ptr<Bridge> bridge,
                 std::shared_ptr<const ClientContext> context, config::ClientMapping mapping);

    /// Accepts until stop().
    void start();
    /// On the listener's thread.
    void stop();

    /// What was bound: a port of 0 is resolved.
    [[nodiscard]] const net::tcp::endpoint& endpoint() const { return acceptor_->local_endpoint(); }
    [[nodiscard]] net::asio::any_io_executor executor() { return acceptor_->executor(); }

private:
    void on_accepted(net::Stream application, const net::tcp::endpoint& peer);

    std::shared_ptr<net::Acceptor> acceptor_;
    std::shared_ptr<const ClientContext> context_;
    config::ClientMapping mapping_;
    std::shared_ptr<MappingNotes> notes_;
    std::shared_ptr<Bridge> bridge_;
    std::size_t number_ = 0;  // of the mapping, in the bridge
    ops::LogLimiter rejections_{std::chrono::seconds(1)};
};

}  // namespace hpb::agent::client
