#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/agent_options.hpp"
#include "net/executor_pool.hpp"

namespace hpb::agent::service {

/// The service agent: a listener for each entity, and their channels. Several agents, and a relay,
/// may share a pool.
class ServiceAgent {
public:
    /// Called on the pool's first thread.
    struct Events {
        /// Once, when every entity is registered for the first time.
        std::function<void(std::vector<std::string> entities)> on_ready;
        /// Once, instead, when retrying will not help.
        std::function<void(Error)> on_fatal;
    };

    /// @param pool  outlives the agent; stopped or not running when the agent is destroyed.
    ServiceAgent(net::ExecutorPool& pool, config::ServiceOptions options, Events events);
    ~ServiceAgent();
    ServiceAgent(const ServiceAgent&) = delete;
    ServiceAgent& operator=(const ServiceAgent&) = delete;

    /// Starts. Callable from any thread, also before the pool runs.
    void start();
    /// Closes control channels and channels cleanly, within 5 s. Callable from any thread.
    /// @param on_stopped  called on the pool's first thread.
    void stop(std::function<void()> on_stopped);
    /// Logs the counters of its v2 sessions (docs/configuration.md, "Counters"). On the
    /// pool's first thread.
    void log_counters();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace hpb::agent::service
