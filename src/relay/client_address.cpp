#include "relay/client_address.hpp"

#include <algorithm>

#include "http/forwarded.hpp"
#include "net/source.hpp"

namespace hpb::relay {
namespace {

namespace ip = net::asio::ip;

std::optional<net::tcp::endpoint> parse(const std::string& hop) {
    const auto node = http::parse_forwarded_node(hop);
    const auto bytes = config::parse_ip(node.host);
    if (!bytes) return std::nullopt;
    ip::address_v6::bytes_type in_order{};
    std::copy(bytes->begin(), bytes->end(), in_order.begin());
    const ip::address_v6 v6(in_order);
    const auto port = static_cast<std::uint16_t>(node.port);
    if (v6.is_v4_mapped()) return net::tcp::endpoint(ip::make_address_v4(ip::v4_mapped, v6), port);
    return net::tcp::endpoint(v6, port);
}

/// From the nearest hop outwards. If all of them are proxies, the request is the outermost one's.
std::optional<net::tcp::endpoint> client_of(const std::vector<std::string>& hops,
                                            const config::AllowList& proxies) {
    std::optional<net::tcp::endpoint> client;
    for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
        client = parse(*hop);
        if (!client || !is_in(proxies, client->address())) break;
    }
    return client;
}

}  // namespace

bool is_in(const config::AllowList& list, const ip::address& address) {
    return list.admits(net::address_bytes(address));
}

net::tcp::endpoint client_address(const http::Headers& headers, const net::tcp::endpoint& peer,
                                  const config::AllowList& proxies) {
    if (!is_in(proxies, peer.address())) return peer;
    // Most proxies know one of the fields and pass the other one on as the client made it up. Only
    // a client that does so loses by it.
    std::optional<net::tcp::endpoint> found;
    for (const auto& hops : {http::x_forwarded_for(headers), http::forwarded_for(headers)}) {
        if (hops.empty()) continue;
        const auto named = client_of(hops, proxies);
        if (!named || (found && found->address() != named->address())) return peer;
        found = named;
    }
    return found.value_or(peer);
}

}  // namespace hpb::relay
