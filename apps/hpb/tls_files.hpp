#pragma once

#include <optional>

#include "config/agent_options.hpp"
#include "config/relay_options.hpp"
#include "net/tls/context.hpp"

namespace hpb::app {

/// The relay's certificate and key; nullopt if it is to speak without TLS. The start and
/// `hpb check` both load them, so that they refuse the same.
[[nodiscard]] Result<std::optional<net::TlsServerContext>> load_tls(
    const config::RelayOptions& options, net::TlsPolicy policy = {});

/// What an agent trusts; nullopt if its address asks for no TLS.
[[nodiscard]] Result<std::optional<net::TlsClientContext>> load_tls(
    const config::RelayAccess& access);

}  // namespace hpb::app
