#pragma once

#include <atomic>
#include <string>

#include "config/relay_options.hpp"
#include "http/message.hpp"
#include "net/coro.hpp"

namespace hpb::relay {

/// The address at which listeners are told to open rendezvous connections. Thread-safe.
class PublicAddress {
public:
    /// @param tls  whether the relay itself terminates TLS. @param options  outlives this.
    PublicAddress(const config::RelayOptions& options, bool tls);

    /// `wss://host[:port]` or `ws://…` for the listener that sent `request` from `peer`. Host and
    /// port are PublicAddress's, or else those that the listener used for the relay. The scheme is
    /// PublicAddress's, or else a trusted proxy's X-Forwarded-Proto, or else the
    /// relay's.
    [[nodiscard]] std::string base(const http::RequestHead& request,
                                   const net::tcp::endpoint& peer) const;

    /// Host of PublicAddress; "" without one.
    [[nodiscard]] const std::string& host() const { return host_; }

private:
    [[nodiscard]] bool is_secure(const http::RequestHead& request,
                                 const net::tcp::endpoint& peer) const;

    const config::RelayOptions& options_;
    bool tls_;
    std::string host_;
    std::string authority_;  ///< without a scheme; "": not configured
    bool has_scheme_ = false;
    bool scheme_secure_ = false;
    mutable std::atomic<bool> told_{false};  ///< that a proxy is not trusted
};

}  // namespace hpb::relay
