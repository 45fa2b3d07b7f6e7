#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "net/coro.hpp"
#include "net/stream.hpp"
#include "net/tls_context.hpp"

namespace hpb::net {

/// An HTTP proxy for CONNECT (RFC 9110 section 9.3.6).
struct Proxy {
    std::string host;
    std::uint16_t port = 0;
    std::string user;
    std::string password;
};

struct DialOptions {
    const TlsClientContext* tls = nullptr;     ///< nullptr: plain TCP. Outlives the dial.
    const Proxy* proxy = nullptr;              ///< nullptr: direct. Outlives the dial.
    std::chrono::milliseconds timeout{10000};  ///< resolution to TLS, all together
};

/// Connects to host:port: resolves the name anew, tries its addresses in the manner of RFC 8305
/// (both families, the next 250 ms after the last), goes through the proxy if there is one, and
/// does TLS. Never ends before whoever started it has gone on, not even where all is known at once.
/// @return the connection, or an error that says in one line what could not be reached and why.
[[nodiscard]] awaitable<Result<Stream>> dial(std::string host, std::uint16_t port,
                                             DialOptions options);

/// "host:port", IPv6 in brackets.
[[nodiscard]] std::string host_port(const std::string& host, std::uint16_t port);

}  // namespace hpb::net
