#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "config/agent_options.hpp"
#include "net/executor_pool.hpp"

namespace hpb::agent::client {

/// The client agent: a port for each mapping, and the channels behind them. Several agents, and a
/// relay, may share a pool.
class ClientAgent {
public:
    /// Called on the pool's first thread.
    struct Events {
        /// Once, when every port is bound; in the order of the mappings, with port 0 resolved.
        std::function<void(std::vector<net::tcp::endpoint>)> on_ready;
        /// Called instead, if set: every port is bound, but the relay does not answer yet.
        std::function<void(std::vector<net::tcp::endpoint>)> on_not_yet = {};
        /// Once, instead: a port cannot be bound, or the relay will never accept us.
        std::function<void(Error)> on_fatal;
    };

    /// @param pool  outlives the agent; stopped or not running when the agent is destroyed.
    ClientAgent(net::ExecutorPool& pool, config::ClientOptions options, Events events);
    ~ClientAgent();
    ClientAgent(const ClientAgent&) = delete;
    ClientAgent& operator=(const ClientAgent&) = delete;

    /// Starts. Callable from any thread, also before the pool runs.
    void start();
    /// Stops accepting and closes channels cleanly, within 5 s. Callable from any thread.
    /// @param on_stopped  called on the pool's first thread.
    void stop(std::function<void()> on_stopped);
    /// Logs the counters of its v2 sessions (docs/configuration.md, "Counters"). On the
    /// pool's first thread.
    void log_counters();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace hpb::agent::client
