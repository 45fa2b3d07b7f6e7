#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "net/coro.hpp"
#include "net/proxy.hpp"
#include "net/stream.hpp"
#include "net/tls_context.hpp"

namespace hpb::net {

/// What a dial that may have to be repeated knows of the addresses of its name.
struct Attempts {
    std::vector<tcp::endpoint> failed;  ///< not tried again
    tcp::endpoint current;              ///< what the last dial has reached
    bool others = false;                ///< there are addresses that have not been tried

    /// What was reached has not done what was asked of it.
    void fail_current();
};

struct DialOptions {
    const TlsClientContext* tls = nullptr;     ///< nullptr: plain TCP. Outlives the dial.
    const Proxy* proxy = nullptr;              ///< nullptr: direct. Outlives the dial.
    std::chrono::milliseconds timeout{10000};  ///< resolution to TLS, all together
    bool to_relay = false;                     ///< its look-up goes before those of targets
    bool avoid_link_local = false;             ///< is_link_local_or_metadata() is not permitted
    bool use_reserve = false;      ///< may take a descriptor of net::reserve_descriptors()
    Attempts* attempts = nullptr;  ///< outlives the dial
};

/// Connects to host:port: resolves the name anew, tries its addresses in the manner of RFC 8305
/// (both families, the next 250 ms after the last), goes through the proxy if there is one, and
/// does TLS. An address that does not do its part, or is late with it while there are others, gives
/// way to the next and comes last for a while. Never ends before whoever started it has gone on,
/// not even where all is known at once.
/// @return the connection, or an error that says in one line what could not be reached and why.
[[nodiscard]] awaitable<Result<Stream>> dial(std::string host, std::uint16_t port,
                                             DialOptions options);

/// "host:port", IPv6 in brackets.
[[nodiscard]] std::string host_port(const std::string& host, std::uint16_t port);

}  // namespace hpb::net
