#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hpb::hc {

/// Whether a relay may send its listener to `host` for a rendezvous: a relay that may name any host
/// makes whoever listens there connect to third parties. It may name itself; in Azure a gateway
/// beside it, such as g23-prod-am3-010-sb.servicebus.windows.net; and what is configured.
/// @param relay    the host that the agent dials. @param allowed  hosts, or `*.example.com` for all
///                 hosts below example.com.
[[nodiscard]] bool may_send_to(std::string_view host, std::string_view relay,
                               std::span<const std::string> allowed);

}  // namespace hpb::hc
