#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/channel_registry.hpp"
#include "agent/quota.hpp"
#include "agent/relay_dialer.hpp"
#include "agent/session_metrics.hpp"
#include "config/agent_options.hpp"
#include "session/memory_budget.hpp"

namespace hpb::agent::client {

/// State shared by all parts of a client agent. Immutable or thread-safe.
struct ClientContext {
    ClientContext(config::ClientOptions client_options,
                  std::shared_ptr<const RelayDialer> relay_dialer)
        : options(std::move(client_options)),
          dialer(std::move(relay_dialer)),
          registry(std::make_shared<ChannelRegistry>()),
          metrics(std::make_shared<SessionMetrics>()),
          memory(std::make_shared<session::MemoryBudget>(options.session.memory_budget)),
          connections(std::make_shared<Quota>(options.max_connections)) {}

    /// The subprotocols that a sender offers. v1 comes first, since older listeners accept whatever
    /// comes first.
    [[nodiscard]] std::vector<std::string> offered_protocols() const {
        if (options.session.protocol == config::Protocol::v1) return {};
        return {kProtocolV1, kProtocolV2};
    }

    const config::ClientOptions options;
    const std::shared_ptr<const RelayDialer> dialer;
    const std::shared_ptr<ChannelRegistry> registry;
    const std::shared_ptr<SessionMetrics> metrics;
    const std::shared_ptr<session::MemoryBudget> memory;  ///< of all sessions together
    const std::shared_ptr<Quota> connections;
};

}  // namespace hpb::agent::client
