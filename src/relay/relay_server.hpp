#pragma once

#include <memory>
#include <vector>

#include "net/executor_pool.hpp"
#include "ops/log.hpp"
#include "relay/connection.hpp"
#include "relay/relay_context.hpp"

namespace hpb::relay {

/// The self-hosted relay: listens, secures, reads one request per connection and hands it to what
/// it asks for. Built and stopped on the pool's first thread; connections spread over all of them.
class RelayServer {
public:
    /// @param tls  nullopt: plain ws:// and http://, which the operator has asked for by name.
    RelayServer(net::ExecutorPool& pool, const config::RelayOptions& options,
                std::optional<net::TlsServerContext> tls);
    ~RelayServer();

    /// Binds every address of the options. @return what was bound (ports resolved), or an error
    /// that names the address that could not be.
    [[nodiscard]] Result<std::vector<net::tcp::endpoint>> listen();

    /// Stops accepting and says goodbye to listeners (Close 1011). Data connections end with the
    /// process.
    void shut_down();

    /// One line with what a relay counts (docs/configuration.md, "Counters").
    void log_counters();

    /// TCP connections at the moment. Callable from any thread.
    [[nodiscard]] std::size_t connections() const { return context_.connections->held(); }

private:
    [[nodiscard]] net::awaitable<void> accept_loop(std::shared_ptr<net::tcp::acceptor> acceptor);
    void admit(net::tcp::socket socket, const net::tcp::endpoint& peer, std::size_t thread);

    RelayContext context_;
    std::vector<std::unique_ptr<Connection::Handshakes>>
        handshakes_;  // one a thread, touched by it alone
    std::vector<std::shared_ptr<net::tcp::acceptor>> acceptors_;
    std::size_t next_thread_ = 0;
    ops::LineGate full_lines_;
    ops::LogLimiter full_log_{std::chrono::seconds(10)};
};

}  // namespace hpb::relay
