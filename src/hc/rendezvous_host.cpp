#include "hc/rendezvous_host.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace hpb::hc {
namespace {

/// The clouds in which namespaces and gateways are neighbours below one domain.
constexpr std::array<std::string_view, 4> kAzureDomains = {
    ".servicebus.windows.net", ".servicebus.chinacloudapi.cn", ".servicebus.usgovcloudapi.net",
    ".servicebus.cloudapi.de"};

std::string_view without_dot(std::string_view host) {
    return host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
}

bool is_below(std::string_view host, std::string_view domain) {
    return host.size() > domain.size() && iequals(host.substr(host.size() - domain.size()), domain);
}

bool is_loopback(std::string_view host) {
    return iequals(host, "localhost") || host == "::1" || host.starts_with("127.");
}

}  // namespace

bool may_send_to(std::string_view host, std::string_view relay,
                 std::span<const std::string> allowed) {
    host = without_dot(host);
    relay = without_dot(relay);
    if (iequals(host, relay) || (is_loopback(host) && is_loopback(relay))) return true;
    for (const auto domain : kAzureDomains)
        if (is_below(host, domain) && is_below(relay, domain)) return true;
    return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& one) {
        if (one.starts_with("*.")) return is_below(host, std::string_view(one).substr(1));
        return iequals(host, without_dot(one));
    });
}

}  // namespace hpb::hc
