#pragma once

#include <memory>
#include <vector>

#include "net/acceptor.hpp"
#include "net/executor_pool.hpp"
#include "ops/log.hpp"
#include "relay/connection.hpp"
#include "relay/relay_context.hpp"

namespace hpb::relay {

/// The self-hosted relay: accepts connections, does TLS, reads one request per connection and
/// dispatches it. Created and stopped on the pool's first thread; connections are spread over all
/// threads.
class RelayServer {
public:
    /// @param tls  nullopt: plain ws:// and http://, which the operator has explicitly enabled.
    RelayServer(net::ExecutorPool& pool, const config::RelayOptions& options,
                std::optional<net::TlsServerContext> tls);
    ~RelayServer();

    /// Binds every address of the options. @return the bound addresses (ports resolved), or an
    /// error that names the one that could not be bound.
    [[nodiscard]] Result<std::vector<net::tcp::endpoint>> listen();

    /// Stops accepting and closes control channels (Close 1011). Data connections end with the
    /// process.
    void shut_down();

    /// One line with the relay's counters (docs/configuration.md, "Counters").
    void log_counters();

    /// TCP connections at the moment. Callable from any thread.
    [[nodiscard]] std::size_t connections() const { return context_.connections->held(); }

private:
    void admit(net::Stream stream, const net::tcp::endpoint& peer);
    [[nodiscard]] net::asio::any_io_executor next_executor();
    /// Of the pool, by the executor of one of its connections.
    [[nodiscard]] std::size_t thread_of(const net::asio::any_io_executor& executor);

    RelayContext context_;
    std::vector<std::unique_ptr<Connection::Handshakes>>
        handshakes_;  // one per thread, used by that thread alone
    std::vector<std::shared_ptr<net::Acceptor>> acceptors_;
    std::size_t next_thread_ = 0;
    ops::LineGate full_lines_;
};

}  // namespace hpb::relay
