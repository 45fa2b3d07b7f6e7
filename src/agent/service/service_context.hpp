#pragma once

#include <memory>
#include <utility>

#include "agent/channel_registry.hpp"
#include "agent/quota.hpp"
#include "agent/relay_dialer.hpp"
#include "agent/service/dial_debts.hpp"
#include "agent/session_metrics.hpp"
#include "config/agent_options.hpp"
#include "net/executor_pool.hpp"
#include "net/share.hpp"
#include "session/memory_budget.hpp"

namespace hpb::agent::service {

/// State shared by all parts of a service agent. Immutable or thread-safe.
struct ServiceContext {
    /// Limit on concurrent rejections of senders; further senders are left to the relay's time
    /// limit.
    static constexpr std::size_t kMaxRejections = 64;

    ServiceContext(net::ExecutorPool& threads, config::ServiceOptions service_options,
                   std::shared_ptr<const RelayDialer> relay_dialer)
        : pool(threads),
          options(std::move(service_options)),
          dialer(std::move(relay_dialer)),
          registry(std::make_shared<ChannelRegistry>()),
          metrics(std::make_shared<SessionMetrics>()),
          memory(std::make_shared<session::MemoryBudget>(options.session.memory_budget)),
          channels(net::Share::root(options.max_channels)),
          connections(net::Share::root(options.max_connections)),
          rejections(std::make_shared<Quota>(kMaxRejections)) {}

    net::ExecutorPool& pool;
    const config::ServiceOptions options;
    const std::shared_ptr<const RelayDialer> dialer;
    const std::shared_ptr<ChannelRegistry> registry;
    const std::shared_ptr<SessionMetrics> metrics;
    const std::shared_ptr<session::MemoryBudget> memory;  ///< of all sessions together
    const std::shared_ptr<net::Share> channels;
    const std::shared_ptr<net::Share> connections;  ///< to targets
    const std::shared_ptr<Quota> rejections;
    const std::shared_ptr<DialDebts> dial_debts = std::make_shared<DialDebts>();
};

}  // namespace hpb::agent::service
