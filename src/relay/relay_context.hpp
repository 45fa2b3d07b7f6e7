#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/relay_options.hpp"
#include "net/executor_pool.hpp"
#include "net/share.hpp"
#include "net/tls/context.hpp"
#include "relay/public_address.hpp"
#include "relay/registry.hpp"
#include "relay/relay_log.hpp"

namespace hpb::relay {

/// Limit on concurrently delayed refusals of listeners; others are refused without delay.
inline constexpr std::size_t kMaxDelayedRefusals = 1000;

/// State shared by all connections of a relay. Constant, thread-safe (registry) or atomic.
struct RelayContext {
    RelayContext(net::ExecutorPool& p, const config::RelayOptions& o,
                 std::optional<net::TlsServerContext> t);

    net::ExecutorPool& pool;
    const config::RelayOptions& options;
    const std::optional<net::TlsServerContext> tls;
    const PublicAddress public_address;
    Registry registry;
    std::shared_ptr<RelayLog> log = std::make_shared<RelayLog>();
    std::vector<std::string> host_names;  ///< accepted in audiences; none: the received Host
    const std::shared_ptr<net::Share> connections;
    const std::shared_ptr<net::Share> delayed_refusals;
};

}  // namespace hpb::relay
