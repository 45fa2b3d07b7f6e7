#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "config/allow_list.hpp"
#include "config/tls_options.hpp"

namespace hpb::config {

/// One SAS rule of the namespace or of a hybrid connection.
struct AccessRule {
    std::string name;
    std::string key;            ///< secret
    std::string secondary_key;  ///< secret; "": none
    bool manage = false;        ///< implies the two below
    bool listen = false;
    bool send = false;
};

/// One entry of Relay:HybridConnections, or one --connection.
struct HybridConnectionOptions {
    std::string path;
    bool requires_client_authorization = true;
    std::vector<AccessRule> access_rules;
    bool has_user_metadata = false;
    std::string user_metadata;  ///< as text, whatever its JSON type was in the file
};

struct ListenAddress {
    std::string host;  ///< an IP literal, without brackets
    std::uint16_t port = 0;
};

/// Section Relay: the self-hosted relay. Every limit is a bound on what peers can make it hold.
struct RelayOptions {
    std::vector<ListenAddress> listen;
    bool insecure = false;  ///< plain ws:// and http://, only by Relay:Insecure or --insecure
    std::string certificate_file;  ///< PEM, chain included
    std::string key_file;          ///< PEM
    TlsOptions tls;
    /// Accepted in tokens' audiences besides that of public_address; neither: the received Host.
    std::vector<std::string> host_names;
    /// [scheme://]host[:port] for rendezvous addresses; "": the listener's own Host header.
    std::string public_address;
    AllowList trusted_proxies;  ///< whose X-Forwarded-* headers count
    std::vector<AccessRule> access_rules;
    std::vector<HybridConnectionOptions> hybrid_connections;

    unsigned threads = 0;  ///< 0: one a core
    /// How long a thread looks for work before it sleeps; 0: not at all (net::BusyPoll).
    std::chrono::microseconds busy_poll{100};
    std::size_t max_connections = 20000;  ///< TCP connections at once, handshakes included
    std::size_t max_handshakes =
        1000;  ///< connections without a complete request; beyond: the oldest goes
    std::size_t max_head_bytes = 32 * 1024;       ///< request line and headers
    std::size_t max_listeners = 25;               ///< per hybrid connection
    std::size_t max_pending_senders = 5000;       ///< senders that wait for a rendezvous
    std::chrono::seconds handshake_timeout{10};   ///< TCP accept to complete request head
    std::chrono::seconds rendezvous_timeout{30};  ///< sender's wait for a listener
    /// Silence of the side that has not closed, after the other has.
    std::chrono::seconds half_close_timeout{12 * 3600};
    std::chrono::seconds ping_interval{30};
    std::chrono::seconds token_grace{
        300};  ///< control channel lives this long past its token's expiry
    std::chrono::seconds clock_skew{
        30};  ///< a token that expired this recently still opens a connection
    std::chrono::milliseconds refusal_delay{
        1000};  ///< before a refused listener's answer: some clients retry without a pause
};

}  // namespace hpb::config
