// agent: the client agent (sender) and the service agent (listener): dialling the relay, channels,
// port listeners and targets. What the bytes mean is in v1 and hc; sockets and timers are net's.
// A channel and all its connections live on one thread; what is shared between threads says so.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "config/agent_options.hpp"
#include "hc/runtime_info.hpp"
#include "http/message.hpp"
#include "net/coro.hpp"
#include "net/dial/dial.hpp"
#include "net/dial/http_client.hpp"
#include "net/tls/context.hpp"
#include "net/websocket/websocket.hpp"

namespace hpb::agent {

/// The subprotocols of a channel between agents (docs/protocol.md, "Negotiation").
inline constexpr const char* kProtocolV1 = "hpb.v1";
inline constexpr const char* kProtocolV2 = "hpb.v2";

/// Why a request to the relay failed.
enum class relay_errc {
    unreachable = 1,   ///< no connection or no answer: retry soon
    refused,           ///< a refusal that may be temporary, such as "no listener" or 5xx
    throttled,         ///< 429 or 503: retry later
    not_authorised,    ///< 401 or 403
    no_such_entity,    ///< 404
    no_description,    ///< the relay does not describe the entity
    no_such_listener,  ///< 404: others listen, but none of those that were allowed
    bad_certificate,   ///< the relay is not who it should be
    bad_address,       ///< the relay sent an address that must not be opened
};
[[nodiscard]] boost::system::error_code make_error_code(relay_errc e);

/// True if retrying will not help without a change of configuration.
[[nodiscard]] bool is_permanent(const Error& error);

/// Lifetime of the tokens that we create, and the fraction after which a listener renews its token.
inline constexpr std::chrono::seconds kTokenLifetime{3600};
[[nodiscard]] constexpr std::chrono::seconds renewal_delay(std::chrono::seconds lifetime) {
    return lifetime * 8 / 10;
}

/// Opens connections to one relay namespace, with its certificate check, proxy and tokens.
/// Immutable, so every thread may use it; the caller keeps it alive while an operation runs.
class RelayDialer {
public:
    using Milliseconds = std::chrono::milliseconds;

    /// @param component  whose log says how TLS is done.
    /// @return an error if the CA file or text cannot be used.
    [[nodiscard]] static Result<std::shared_ptr<const RelayDialer>> create(
        const config::RelayAccess& access, const char* component);

    explicit RelayDialer(config::RelayAccess access);

    struct ConnectOptions {
        std::vector<std::string> subprotocols = {};  ///< to offer
        std::string listener = {};  ///< the only one that may answer, by its id; "": any
        Milliseconds limit{0};      ///< for dial and answer each; 0: as long as a relay may need
        bool use_reserve = true;    ///< it serves more than one connection (net::DialOptions)
    };
    struct SenderChannel {
        net::WebSocket websocket;
        std::string subprotocol;  ///< the listener's choice; "": none
    };
    /// As a sender: the WebSocket is a channel to some service agent. Waits for the listener's
    /// rendezvous, half a minute at most.
    [[nodiscard]] net::awaitable<Result<SenderChannel>> connect(std::string entity,
                                                                ConnectOptions options) const;

    /// Time limits of listen(); longer ones only help a slow path.
    static constexpr Milliseconds kDialLimit{10000};
    static constexpr Milliseconds kListenAnswerLimit{40000};

    struct ListenOptions {
        std::chrono::seconds keep_alive{0};  ///< to agree on with the relay; 0: not asked for
        /// Secret of this listener, by which the relay recognises it when it registers again.
        std::string instance;
        Milliseconds dial_limit{kDialLimit};
        Milliseconds answer_limit{kListenAnswerLimit};
    };
    struct Registration {
        net::WebSocket websocket;  ///< the control channel
        /// What the relay has agreed to (docs/protocol.md, "Keep-alive of a control channel"); 0:
        /// nothing.
        std::chrono::seconds keep_alive{0};
    };
    /// As a listener.
    /// @param id  a GUID that names this listener: its control channel replaces an older one that
    /// has the same.
    [[nodiscard]] net::awaitable<Result<Registration>> listen(std::string entity, std::string id,
                                                              ListenOptions options) const;

    /// Opens the address of an accept or request message unchanged, without a token.
    /// @param subprotocol  to ask for, or "".
    [[nodiscard]] net::awaitable<Result<net::WebSocket>> open_rendezvous(
        std::string url, std::string subprotocol) const;

    /// Rejects a waiting sender. The relay confirms that with status 410.
    [[nodiscard]] net::awaitable<Result<void>> reject(std::string url, int status,
                                                      std::string description) const;

    /// The same at the configured address of the relay, if the announced one cannot be opened.
    [[nodiscard]] net::awaitable<Result<void>> reject_at_home(std::string url, int status,
                                                              std::string description) const;
    /// For an announced address that could not be opened: a clause with the likely reason if it
    /// differs from the configured address of the relay, else "".
    [[nodiscard]] std::string explain_address(const std::string& url) const;

    /// The management read of one entity (docs/protocol.md, "Runtime information").
    [[nodiscard]] net::awaitable<Result<hc::RuntimeInformation>> runtime_information(
        std::string entity, Milliseconds limit) const;

    /// Only dials, to check that the relay is reachable and authentic.
    [[nodiscard]] net::awaitable<Result<void>> probe(Milliseconds limit) const;

    /// Requests a channel to a listener that does not exist, to check that the relay is reachable
    /// and accepts a sender without a token. If the relay opens a channel anyway, it is closed.
    [[nodiscard]] net::awaitable<Result<void>> probe_anonymously(std::string entity,
                                                                 Milliseconds limit) const;

    /// @return a token for `entity` that is valid from now on for kTokenLifetime, the ready-made
    /// signature of the configuration, or "" for an anonymous sender.
    [[nodiscard]] std::string token(const std::string& entity) const;
    /// True if token() creates new ones, so that a control channel's token can be renewed.
    [[nodiscard]] bool can_renew() const { return access_.signature.empty() && has_credentials(); }
    [[nodiscard]] bool has_credentials() const {
        return !access_.signature.empty() || !access_.key_name.empty();
    }

    /// The relay's host and port, for log lines.
    [[nodiscard]] std::string name() const { return access_.address.authority(); }

private:
    struct How {
        net::Attempts* attempts = nullptr;
        bool use_reserve = true;
    };
    [[nodiscard]] net::awaitable<Result<net::Stream>> dial(hc::RelayAddress address,
                                                           Milliseconds limit, How how) const;
    [[nodiscard]] net::awaitable<Result<net::Stream>> dial_rendezvous(hc::RelayAddress address,
                                                                      How how) const;
    [[nodiscard]] http::RequestHead management_request(const std::string& entity) const;
    [[nodiscard]] net::awaitable<Result<net::HttpResponse>> fetch(http::RequestHead request,
                                                                  Milliseconds limit) const;
    [[nodiscard]] net::awaitable<Result<void>> send_rejection(hc::RendezvousUrl where) const;
    struct Limits {
        Milliseconds dial;
        Milliseconds answer;
        bool use_reserve = true;
    };
    /// @return an outcome that has a WebSocket.
    [[nodiscard]] net::awaitable<Result<net::UpgradeOutcome>> open(hc::RelayAddress address,
                                                                   net::UpgradeRequest request,
                                                                   std::string purpose,
                                                                   Limits limits) const;

    config::RelayAccess access_;
    std::optional<net::TlsClientContext> tls_;
    std::optional<net::Proxy> proxy_;
    /// Learnt from a refusal: the relay reads tokens from the query only.
    mutable std::atomic<bool> token_in_query_{false};
};

/// Explains a relay's refusal.
/// @param purpose  what was asked for, such as `a channel to "simple"`.
/// @param now      our own clock in Unix seconds: a 401 is often caused by a wrong clock.
[[nodiscard]] Error explain_refusal(const http::ResponseHead& response, const std::string& relay,
                                    const std::string& purpose, std::int64_t now);

}  // namespace hpb::agent

template <>
struct boost::system::is_error_code_enum<hpb::agent::relay_errc> : std::true_type {};
