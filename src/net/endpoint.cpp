#include "net/endpoint.hpp"

#include <sys/socket.h>

#include <cstring>

namespace hpb::net {

Result<Endpoint> Endpoint::parse(const std::string& host, std::uint16_t port) {
    error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error)
        return Error(errc::invalid_argument,
                     "cannot listen on " + host_port(host, port) + ": not an IP address");
    return Endpoint(tcp::endpoint(address, port));
}

std::string Endpoint::to_text() const {
    if (const auto* address = tcp_address()) return net::to_text(*address);
    if (const auto* local = unix_path()) return local->path;
    return "descriptor " + std::to_string(inherited()->descriptor);
}

std::string host_port(const std::string& host, std::uint16_t port) {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string to_text(const tcp::endpoint& address) {
    return host_port(address.address().to_string(), address.port());
}

tcp::endpoint to_tcp(const asio::generic::stream_protocol::endpoint& address) {
    tcp::endpoint out;
    const int family = address.protocol().family();
    if ((family != AF_INET && family != AF_INET6) || address.size() > out.capacity()) return out;
    std::memcpy(out.data(), address.data(), address.size());
    out.resize(address.size());
    return out;
}

}  // namespace hpb::net
