#include "relay/relay_server.hpp"

#include <algorithm>
#include <boost/asio/ip/v6_only.hpp>

#include "net/descriptors.hpp"
#include "net/dial.hpp"
#include "net/listen_error.hpp"
#include "net/socket_options.hpp"
#include "net/source.hpp"
#include "ops/limits.hpp"
#include "relay/client_address.hpp"
#include "relay/connection.hpp"
#include "relay/control_channel.hpp"

namespace hpb::relay {
namespace {

constexpr int kBacklog = 4096;
/// Pause after accept() failed for want of descriptors or memory.
constexpr std::chrono::milliseconds kAcceptPause{100};

/// True if an IPv4 address is to be bound to this port. Then a socket of [::] must not take IPv4
/// connections too, as it does alone on most systems.
bool shares_port(const std::vector<config::ListenAddress>& addresses, std::uint16_t port) {
    return std::any_of(addresses.begin(), addresses.end(), [&](const auto& address) {
        return address.port == port && address.host.find(':') == std::string::npos;
    });
}

}  // namespace

RelayContext::RelayContext(net::ExecutorPool& p, const config::RelayOptions& o,
                           std::optional<net::TlsServerContext> t)
    : pool(p),
      options(o),
      tls(std::move(t)),
      public_address(o, tls.has_value()),
      registry(o),
      host_names(o.host_names),
      connections(net::Share::root(o.max_connections)),
      delayed_refusals(net::Share::root(kMaxDelayedRefusals)) {
    if (!public_address.host().empty()) host_names.push_back(public_address.host());
}

RelayServer::RelayServer(net::ExecutorPool& pool, const config::RelayOptions& options,
                         std::optional<net::TlsServerContext> tls)
    : context_(pool, options, std::move(tls)) {
    const std::size_t limit = std::max<std::size_t>(1, options.max_handshakes / pool.size());
    for (std::size_t i = 0; i < pool.size(); ++i) {
        handshakes_.push_back(
            std::make_unique<Connection::Handshakes>(pool.at(i).get_executor(), limit));
    }
}

RelayServer::~RelayServer() = default;

Result<std::vector<net::tcp::endpoint>> RelayServer::listen() {
    std::vector<net::tcp::endpoint> bound;
    for (const auto& address : context_.options.listen) {
        const std::string name = net::host_port(address.host, address.port);
        net::error_code error;
        const auto ip = net::asio::ip::make_address(address.host, error);
        if (error)
            return Error(errc::invalid_argument,
                         "cannot listen on " + name + ": not an IP address");
        auto acceptor = std::make_shared<net::tcp::acceptor>(context_.pool.first());
        const net::tcp::endpoint endpoint(ip, address.port);
        acceptor->open(endpoint.protocol(), error);
        if (!error) acceptor->set_option(net::tcp::acceptor::reuse_address(true), error);
        if (!error && ip.is_v6() && shares_port(context_.options.listen, address.port)) {
            acceptor->set_option(net::asio::ip::v6_only(true), error);
        }
        if (!error) acceptor->bind(endpoint, error);
        if (!error) acceptor->listen(kBacklog, error);
        if (!error) net::defer_accept(acceptor->native_handle());
        if (error) return net::listen_error(name, error, "Relay:Listen");
        bound.push_back(acceptor->local_endpoint(error));
        acceptors_.push_back(std::move(acceptor));
    }
    for (const auto& acceptor : acceptors_)
        net::spawn(context_.pool.first(), accept_loop(acceptor));
    return bound;
}

net::awaitable<void> RelayServer::accept_loop(std::shared_ptr<net::tcp::acceptor> acceptor) {
    net::error_code ignored;
    const auto port = acceptor->local_endpoint(ignored).port();
    while (acceptor->is_open()) {
        const std::size_t thread = next_thread_++ % context_.pool.size();
        net::tcp::endpoint peer;
        auto [error, socket] =
            co_await acceptor->async_accept(context_.pool.at(thread), peer, net::kAsTuple);
        if (!error) {
            co_await net::wait_for_descriptors(socket.native_handle(), "relay",
                                               "port " + std::to_string(port));
            if (!acceptor->is_open()) co_return;
            admit(std::move(socket), peer, thread);
            continue;
        }
        if (error == net::asio::error::operation_aborted) co_return;
        if (error == net::asio::error::connection_aborted) continue;
        ops::reached(ops::Limit::failed_accepts);
        std::uint64_t suppressed = 0;
        if (full_log_.admit(net::Clock::now(), suppressed)) {
            ops::log_error("relay",
                           "cannot accept connections: {}; new connections wait; raise the limit "
                           "of open files ({} "
                           "more since)",
                           error.message(), suppressed);
        }
        co_await net::sleep_for(kAcceptPause);
    }
}

void RelayServer::admit(net::tcp::socket socket, const net::tcp::endpoint& peer,
                        std::size_t thread) {
    ++context_.log->counters().accepted;
    const std::string source = net::source_key(peer.address());
    // A proxy has many clients; whose this is will be known when its request is here.
    const bool proxy = is_in(context_.options.trusted_proxies, peer.address());
    const auto share = proxy ? context_.connections
                             : context_.connections->child(source, net::Share::kSourceFactor);
    ConnectionTicket ticket = share->try_take();
    if (!ticket) {
        note_refused_connection(*context_.connections);
        if (const auto more = full_lines_.admit(source)) {
            ops::log_warn("relay",
                          "refused a connection from {}: it has {}, all have {}, MaxConnections is "
                          "{}{}",
                          peer_text(peer), share->held(), context_.connections->held(),
                          context_.options.max_connections, *more);
        }
        return;
    }
    auto connection = std::make_shared<Connection>(
        context_, *handshakes_[thread], net::Stream(std::move(socket)), std::move(ticket), peer);
    net::spawn(context_.pool.at(thread), Connection::serve(std::move(connection)));
}

void RelayServer::log_counters() {
    const auto& counters = context_.log->counters();
    std::size_t handshakes = 0;
    for (const auto& table : handshakes_) handshakes += table->table.size();
    ops::log_info(
        "relay",
        "relay: connections={} handshakes={} listeners={} rendezvous={} "
        "waiting_senders={} accepted={} failed_handshakes={} refused_tokens={} "
        "other_refusals={} rendezvous_total={} evicted_handshakes={} "
        "refused_connections={} refused_senders={}",
        context_.connections->held(), handshakes, context_.registry.all_listeners().size(),
        counters.rendezvous.load(), context_.registry.pending_count(), counters.accepted.load(),
        counters.failed_handshakes.load(), counters.refused_tokens.load(),
        counters.other_refusals.load(), counters.rendezvous_total.load(),
        ops::count(ops::Limit::evicted_handshakes), ops::count(ops::Limit::refused_connections),
        ops::count(ops::Limit::refused_senders));
}

void RelayServer::shut_down() {
    for (const auto& acceptor : acceptors_) {
        net::error_code ignored;
        acceptor->close(ignored);
    }
    for (const auto& listener : context_.registry.all_listeners()) {
        listener->shut_down(1011, "The relay is shutting down");
    }
}

}  // namespace hpb::relay
