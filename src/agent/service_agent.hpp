#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/agent_options.hpp"
#include "net/executor_pool.hpp"

namespace hpb::agent {

/// The service agent: a listener for each entity, and the channels that come from them. Several may
/// share a pool with other agents or a relay.
class ServiceAgent {
public:
    /// Called on the pool's first thread.
    struct Events {
        /// Once, when every entity is registered for the first time.
        std::function<void(std::vector<std::string> entities)> on_ready;
        /// Once, instead of it, when trying again will not help.
        std::function<void(Error)> on_fatal;
    };

    /// @param pool  outlives the agent; stopped or not running when the agent is destroyed.
    ServiceAgent(net::ExecutorPool& pool, config::ServiceOptions options, Events events);
    ~ServiceAgent();
    ServiceAgent(const ServiceAgent&) = delete;
    ServiceAgent& operator=(const ServiceAgent&) = delete;

    /// Begins. Callable from any thread, also before the pool runs.
    void start();
    /// Closes control channels and channels in order, within 5 s. Callable from any thread.
    /// @param on_stopped  called on the pool's first thread.
    void stop(std::function<void()> on_stopped);
    /// Logs what its v2 sessions count (docs/configuration.md, "Counters"). On the pool's first
    /// thread.
    void log_counters();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace hpb::agent
