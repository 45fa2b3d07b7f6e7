#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/coro.hpp"
#include "ops/line_gate.hpp"

namespace hpb::relay {

/// A relay's log for the operator: who connected, who was refused and why, who left. Peers can
/// provoke every line, so each kind is rate-limited; the counters include suppressed lines
/// (docs/configuration.md, "Counters"). Thread-safe.
class RelayLog {
public:
    /// Counters logged on SIGUSR1, beside the limits (ops/limits.hpp). All but `rendezvous` only
    /// grow.
    struct Counters {
        std::atomic<std::uint64_t> accepted{0};           ///< TCP connections
        std::atomic<std::uint64_t> failed_handshakes{0};  ///< TLS or HTTP, also too late
        std::atomic<std::uint64_t> refused_tokens{0};     ///< 401 and 403
        std::atomic<std::uint64_t> other_refusals{0};     ///< any other status
        std::atomic<std::uint64_t> rendezvous_total{0};  ///< senders that were joined to a listener
        std::atomic<std::uint64_t> rendezvous{0};        ///< now
    };

    void handshake_failed(const net::tcp::endpoint& peer, std::string_view why);
    /// @param what  e.g. "a listener on simple". @param rule  as the token names it; "": none.
    void refused(const net::tcp::endpoint& peer, std::string_view what, unsigned status,
                 std::string_view why, std::string_view rule, std::string_view tracking_id);
    void listener_came(const net::tcp::endpoint& peer, std::string_view id, std::string_view entity,
                       std::string_view rule, int listeners_now);
    void listener_left(const net::tcp::endpoint& peer, std::string_view id, std::string_view entity,
                       std::string_view why, int listeners_now);

    /// A sender that has been joined to a listener, from then until it is destroyed.
    class Visit {
    public:
        Visit(std::shared_ptr<RelayLog> log, const net::tcp::endpoint& peer, std::string entity,
              std::string_view rule, std::string_view listener);
        ~Visit();
        Visit(const Visit&) = delete;
        Visit& operator=(const Visit&) = delete;

        /// Logged at the end.
        void lost() { lost_ = true; }

    private:
        std::shared_ptr<RelayLog> log_;
        net::tcp::endpoint peer_;
        std::string entity_;
        std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
        bool lost_ = false;
    };

    [[nodiscard]] Counters& counters() { return counters_; }

private:
    Counters counters_;
    ops::LineGate handshakes_;
    ops::LineGate refusals_;
    ops::LineGate listeners_;
    ops::LineGate senders_come_;
    ops::LineGate senders_go_;
};

/// `192.0.2.1:50123`, `[2001:db8::1]:50123`; an IPv4-mapped address as IPv4. Without a port (if a
/// proxy gave the client), the address alone.
[[nodiscard]] std::string peer_text(const net::tcp::endpoint& peer);

}  // namespace hpb::relay
