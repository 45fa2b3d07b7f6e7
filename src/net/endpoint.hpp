#pragma once

#include <string>
#include <variant>

#include "net/stream.hpp"

namespace hpb::net {

/// Where a stream socket listens: an address and port of TCP, a path of this machine, or what
/// whoever started the process has bound already.
class Endpoint {
public:
    struct UnixPath {
        std::string path;
    };
    /// A listening descriptor, which becomes ours.
    struct Inherited {
        int descriptor = -1;
    };

    Endpoint(tcp::endpoint address) : where_(std::move(address)) {}
    Endpoint(UnixPath path) : where_(std::move(path)) {}
    Endpoint(Inherited inherited) : where_(inherited) {}

    /// @param host  an IP literal, without brackets. @return an error that names it.
    [[nodiscard]] static Result<Endpoint> parse(const std::string& host, std::uint16_t port);

    [[nodiscard]] const tcp::endpoint* tcp_address() const {
        return std::get_if<tcp::endpoint>(&where_);
    }
    [[nodiscard]] const UnixPath* unix_path() const { return std::get_if<UnixPath>(&where_); }
    [[nodiscard]] const Inherited* inherited() const { return std::get_if<Inherited>(&where_); }

    /// "127.0.0.1:80", "[::1]:80", "/run/x.sock" or "descriptor 3".
    [[nodiscard]] std::string to_text() const;

private:
    std::variant<tcp::endpoint, UnixPath, Inherited> where_;
};

/// "host:port", IPv6 in brackets.
[[nodiscard]] std::string host_port(const std::string& host, std::uint16_t port);
/// "127.0.0.1:80", "[::1]:80".
[[nodiscard]] std::string to_text(const tcp::endpoint& address);

/// The address of a socket of any family; that of no host, port 0, where it is not TCP's.
[[nodiscard]] tcp::endpoint to_tcp(const asio::generic::stream_protocol::endpoint& address);

}  // namespace hpb::net
