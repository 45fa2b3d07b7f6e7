#include "relay/public_address.hpp"

#include "base/text.hpp"
#include "hc/relay_uri.hpp"
#include "ops/log.hpp"
#include "relay/client_address.hpp"

namespace hpb::relay {
namespace {

constexpr std::string_view kForwardedProto = "X-Forwarded-Proto";

}  // namespace

PublicAddress::PublicAddress(const config::RelayOptions& options, bool tls)
    : options_(options), tls_(tls) {
    const std::string_view text = trim(options.public_address);
    const auto address = hc::parse_relay_address(text);
    if (text.empty() || !address) return;
    host_ = address->host;
    has_scheme_ = text.find("://") != std::string_view::npos;
    scheme_secure_ = address->secure;
    authority_ = has_scheme_ ? address->authority() : std::string(text.substr(0, text.find('/')));
}

std::string PublicAddress::base(const http::RequestHead& request,
                                const net::tcp::endpoint& peer) const {
    const std::string_view authority =
        authority_.empty() ? request.headers.get("Host") : std::string_view(authority_);
    const bool secure = has_scheme_ ? scheme_secure_ : is_secure(request, peer);
    return (secure ? "wss://" : "ws://") + std::string(authority);
}

bool PublicAddress::is_secure(const http::RequestHead& request,
                              const net::tcp::endpoint& peer) const {
    // Of several, the first is what the client spoke.
    const auto proto = trim(split(request.headers.get(kForwardedProto), ',').front());
    const bool says_secure = iequals(proto, "https") || iequals(proto, "wss");
    if (is_in(options_.trusted_proxies, peer.address())) {
        if (says_secure) return true;
        if (iequals(proto, "http") || iequals(proto, "ws")) return false;
    } else if (says_secure && !tls_ && !told_.exchange(true)) {
        ops::log_warn("relay",
                      "a listener says that it came by TLS through a proxy at {}, which is not "
                      "in Relay:TrustedProxies: it is told to dial ws:// addresses; name the proxy "
                      "there, or set Relay:PublicAddress to https://host (said once)",
                      peer.address().to_string());
    }
    return tls_;
}

}  // namespace hpb::relay
