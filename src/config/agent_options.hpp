#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/allow_list.hpp"
#include "config/tls_options.hpp"
#include "hc/relay_uri.hpp"
#include "hc/target_map.hpp"

namespace hpb::config {

/// An HTTP proxy that CONNECT goes through.
struct ProxyOptions {
    std::string host;  ///< "": none, dial directly
    std::uint16_t port = 0;
    std::string user;      ///< "": no Proxy-Authorization
    std::string password;  ///< secret
};

/// Section PortBridge:ServiceNamespace: how to reach and convince the relay.
struct RelayAccess {
    hc::RelayAddress address;
    std::string key_name;    ///< AccessRuleName
    std::string key;         ///< AccessRuleKey, or read from AccessRuleKeyFile; secret
    std::string signature;   ///< a ready-made token instead of the two above; secret
    bool anonymous = false;  ///< NoAuthentication: a sender without any of the three
    /// RendezvousHosts: where the relay may send its listeners besides itself (hc::may_send_to).
    std::vector<std::string> rendezvous_hosts;
    std::string ca_file;  ///< CaFile: trusted instead of the system store; "": system store
    std::string ca_pem;   ///< the same as PEM text instead of a file; "": see ca_file
    TlsOptions tls;
    ProxyOptions proxy;  ///< already chosen: configuration, then HTTPS_PROXY and NO_PROXY
};

/// One entry of PortBridge:PortMappings, or one -L.
struct ClientMapping {
    std::uint16_t port = 0;    ///< 0 (command line only): any free port
    std::string bind_address;  ///< an IP literal
    AllowList accept_from;
    std::string entity;  ///< hybrid connection
    std::int32_t remote_configuration_key = 0;
    int relay_channel_count = 1;                     ///< 1..64
    std::chrono::seconds relay_connection_ttl{300};  ///< 0 or less: a channel for each connection
};

/// PortBridge:Protocol: what agents speak with each other (docs/protocol.md,
/// docs/session-protocol.md).
enum class Protocol {
    automatic,  ///< v2 with agents that speak it, else v1
    v1,         ///< only v1, without asking
    v2,         ///< only v2: others are refused
};

/// What concerns v2 sessions, at either end (docs/configuration.md, "Sessions").
struct SessionOptions {
    Protocol protocol = Protocol::automatic;
    std::chrono::seconds grace{300};     ///< how long a session outlives its last channel
    std::chrono::seconds keep_alive{5};  ///< a silent channel is dead after two and a half of it
    std::chrono::seconds idle{300};   ///< client: a session without connections is kept for so long
    std::size_t max_sessions = 1024;  ///< service: for each hybrid connection
    /// Payload that all sessions of the process keep or let peers send, beyond each stream's share.
    std::uint64_t memory_budget = 256ULL * 1024 * 1024;
    std::uint64_t stream_window = 256ULL * 1024;            ///< of a stream that begins
    std::uint64_t max_stream_window = 64ULL * 1024 * 1024;  ///< up to which it may grow
};

struct ClientOptions {
    RelayAccess relay;
    SessionOptions session;
    /// How long a thread looks for work before it sleeps; 0: not at all (net::BusyPoll).
    std::chrono::microseconds busy_poll{100};
    std::vector<ClientMapping> mappings;
    /// Channels of a v2 session while bulk fills those that its mappings ask for.
    std::size_t channels_under_load = 2;
    /// How long a channel without connections is kept before it is closed.
    std::chrono::seconds channel_idle{5};
    /// How long an application that ended its sending direction is still given what arrives (v1
    /// cannot pass a half-close on): counted from the last byte that arrived.
    std::chrono::milliseconds half_close_linger{2000};
    /// A peer that has acknowledged nothing for so long is given up; 0: never.
    std::chrono::seconds unacknowledged{120};
    std::chrono::seconds connection_idle{
        0};  ///< 0: never; a connection without traffic is reset after it
    std::size_t max_connections =
        10000;  ///< application connections at once; beyond: reset at once
};

/// One entry of PortBridge:EntityPaths, or one -T.
struct ServiceEntity {
    std::string path;
    /// From the configuration's Targets or -T; keys that are not in it come from the relay's
    /// UserMetadata, which is only read if `use_user_metadata`.
    hc::TargetMap targets;
    bool use_user_metadata = true;
};

struct ServiceOptions {
    RelayAccess relay;
    SessionOptions session;
    /// How long a thread looks for work before it sleeps; 0: not at all (net::BusyPoll).
    std::chrono::microseconds busy_poll{100};
    std::vector<ServiceEntity> entities;
    /// How long a channel lives on after its last connection's target closed, so that the peer has
    /// read everything before the channel's end tells it of the close.
    std::chrono::milliseconds close_linger{1000};
    std::chrono::seconds channel_idle{
        300};  ///< a channel that has had no connection for this long is closed
    /// A peer that has acknowledged nothing for so long is given up; 0: never.
    std::chrono::seconds unacknowledged{120};
    std::chrono::seconds connection_idle{
        0};  ///< 0: never; a target without traffic is closed after it
    /// What data that comes after a target's end does (v1): true dials the target again, false
    /// never does; not set: after the end of an idle connection, for a client agent of the .NET
    /// bridge.
    std::optional<bool> reopen_after_target_close;
    std::chrono::seconds connect_timeout{10};
    std::size_t max_connections = 10000;  ///< target connections at once
    std::size_t max_channels = 10000;     ///< rendezvous at once
};

}  // namespace hpb::config
