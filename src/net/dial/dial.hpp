#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "net/coro.hpp"
#include "net/dial/proxy.hpp"
#include "net/stream.hpp"
#include "net/tls/context.hpp"

namespace hpb::net {

/// State of a dial that may be repeated: the addresses of its name.
struct Attempts {
    std::vector<tcp::endpoint> failed;  ///< not to be retried
    tcp::endpoint current;              ///< the one that the last dial reached
    bool others = false;                ///< there are untried addresses

    /// The address that was reached then failed.
    void fail_current();
};

struct DialOptions {
    const TlsClientContext* tls = nullptr;     ///< nullptr: plain TCP. Outlives the dial.
    const Proxy* proxy = nullptr;              ///< nullptr: direct. Outlives the dial.
    std::chrono::milliseconds timeout{10000};  ///< resolution to TLS, all together
    bool to_relay = false;          ///< its look-up takes precedence over those of targets
    bool avoid_link_local = false;  ///< do not dial is_link_local_or_metadata() addresses
    bool use_reserve = false;       ///< may take a descriptor of net::reserve_descriptors()
    Attempts* attempts = nullptr;   ///< outlives the dial
};

/// Connects to host:port: resolves the name anew, tries its addresses in the manner of RFC 8305
/// (both families, the next 250 ms after the last), goes through the proxy if there is one, and
/// does TLS. If an address fails, or is slow while there are others, the next one is tried, and the
/// failed one comes last for a while. Always completes asynchronously, even if the result is known
/// at once.
/// @return the connection, or an error that says in one line what could not be reached and why.
[[nodiscard]] awaitable<Result<Stream>> dial(std::string host, std::uint16_t port,
                                             DialOptions options);

}  // namespace hpb::net
