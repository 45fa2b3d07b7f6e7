#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hc/relay_uri.hpp"
#include "http/message.hpp"
#include "net/stream.hpp"
#include "relay/connection_limits.hpp"
#include "relay/handshake_turns.hpp"
#include "relay/refusal.hpp"
#include "relay/relay_context.hpp"
#include "relay/request_token.hpp"

namespace hpb::relay {

/// One accepted connection until its request is dispatched: TLS, the request's head, and the
/// decision between listener, rendezvous, sender, management read and refusal. Lives
/// on one thread.
class Connection {
public:
    /// State shared by the new connections of a thread.
    struct Handshakes {
        Handshakes(const net::asio::any_io_executor& executor, std::size_t limit)
            : table(limit), turns(executor) {}
        HandshakeTable table;
        HandshakeTurns turns;
    };

    /// @param handshakes  of the connection's thread. @param peer  as returned by accept(): the
    /// socket of a disconnected peer no longer knows it.
    Connection(RelayContext& context, Handshakes& handshakes, net::Stream stream,
               ConnectionTicket ticket, const net::tcp::endpoint& peer);

    [[nodiscard]] static net::awaitable<void> serve(std::shared_ptr<Connection> self);

    enum class Kind { websocket, management, http };

    /// The parsed request.
    struct Request {
        http::RequestHead head;
        hc::Target target;
        Kind kind = Kind::websocket;
        bool has_path = false;  ///< false: it is malformed
        std::string path;       ///< decoded, without /$hc
        std::string host;       ///< Host header without port
        std::string tracking_id;
        RequestToken token;
        std::vector<std::byte> early;  ///< bytes received after the head
    };

    // For the handler that takes over the request (SenderRequest).
    [[nodiscard]] RelayContext& context() { return context_; }
    [[nodiscard]] Request& request() { return request_; }
    [[nodiscard]] net::Stream& stream() { return stream_; }
    [[nodiscard]] ConnectionTicket take_ticket() { return std::move(ticket_); }
    /// From here on another owner accounts for it.
    void set_ticket(ConnectionTicket ticket) { ticket_ = std::move(ticket); }
    /// The client; behind a proxy, once the request has arrived, the address that the proxy gives
    /// (client_address()).
    [[nodiscard]] const net::tcp::endpoint& peer() const { return peer_; }
    /// net::source_key() of the peer.
    [[nodiscard]] const std::string& source() const { return source_; }
    /// Name of the rule of the token that check() saw last, for the log; "": no token.
    [[nodiscard]] const std::string& rule() const { return rule_; }

    /// Checks the request's token for `right`.
    [[nodiscard]] Checked<Grant> check(Right right, const Entity* entity);

    /// Writes a refusal and closes. The log names the peer, its request and the reason.
    [[nodiscard]] net::awaitable<void> refuse(Refusal refusal);

private:
    [[nodiscard]] net::awaitable<bool> read_request();
    /// Plain HTTP on a TLS port: answers that the port speaks TLS.
    [[nodiscard]] net::awaitable<void> answer_plain_http();
    [[nodiscard]] net::awaitable<Result<void>> secure(HandshakeTable::Entry& entry);
    [[nodiscard]] net::awaitable<bool> read_head();
    void tell_failed_handshake(const Error& error, bool evicted, bool late);
    [[nodiscard]] std::string asked_for() const;
    void take_apart(http::RequestHead head);
    /// Moves a proxied connection's ticket to its client's share. False if that is exhausted.
    [[nodiscard]] bool take_client_place();
    [[nodiscard]] net::awaitable<void> route();
    [[nodiscard]] net::awaitable<void> serve_websocket();
    [[nodiscard]] net::awaitable<void> serve_listener();
    [[nodiscard]] std::chrono::seconds agreed_keep_alive() const;  ///< 0: not asked for
    [[nodiscard]] net::awaitable<void> serve_rendezvous();
    [[nodiscard]] net::awaitable<void> serve_sender();
    [[nodiscard]] net::awaitable<void> serve_management();
    [[nodiscard]] net::awaitable<void> serve_http();

    /// As refuse(), after refusal_delay: some listeners retry without a pause.
    [[nodiscard]] net::awaitable<void> refuse_listener(Refusal refusal);
    [[nodiscard]] net::awaitable<void> respond(std::string response);

    RelayContext& context_;
    Handshakes& handshakes_;
    net::Stream stream_;
    ConnectionTicket ticket_;
    const net::tcp::endpoint accepted_from_;
    const bool through_proxy_;
    net::tcp::endpoint peer_;
    std::string source_;
    Request request_;
    std::string rule_;
};

}  // namespace hpb::relay
