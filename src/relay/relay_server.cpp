#include "relay/relay_server.hpp"

#include <algorithm>
#include <cstdlib>

#include "net/source.hpp"
#include "ops/limits.hpp"
#include "relay/client_address.hpp"
#include "relay/connection.hpp"
#include "relay/control_channel.hpp"

namespace hpb::relay {
namespace {

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
        auto where = net::Endpoint::parse(address.host, address.port);
        if (!where) return where.error();
        net::Acceptor::Options options;
        options.component = "relay";
        options.setting = "Relay:Listen";
        options.only_v6 = shares_port(context_.options.listen, address.port);
        options.clients_speak_first = true;
        auto acceptor =
            net::Acceptor::listen(context_.pool.first().get_executor(), *where, std::move(options));
        if (!acceptor) return acceptor.error();
        bound.push_back((*acceptor)->local_endpoint());
        acceptors_.push_back(std::move(*acceptor));
    }
    for (const auto& acceptor : acceptors_) {
        // The relay stands for as long as its pool runs.
        acceptor->start(
            [this](net::Stream stream, const auto& peer) { admit(std::move(stream), peer); },
            [this] { return next_executor(); });
    }
    return bound;
}

net::asio::any_io_executor RelayServer::next_executor() {
    next_thread_ = (next_thread_ + 1) % context_.pool.size();
    return context_.pool.at(next_thread_).get_executor();
}

std::size_t RelayServer::thread_of(const net::asio::any_io_executor& executor) {
    for (std::size_t thread = 0; thread < context_.pool.size(); ++thread) {
        if (executor == net::asio::any_io_executor(context_.pool.at(thread).get_executor()))
            return thread;
    }
    std::abort();  // next_executor() gives no other
}

void RelayServer::admit(net::Stream stream, const net::tcp::endpoint& peer) {
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
    const std::size_t thread = thread_of(stream.executor());
    auto connection = std::make_shared<Connection>(context_, *handshakes_[thread],
                                                   std::move(stream), std::move(ticket), peer);
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
    for (const auto& acceptor : acceptors_) acceptor->close();
    for (const auto& listener : context_.registry.all_listeners()) {
        listener->shut_down(1011, "The relay is shutting down");
    }
}

}  // namespace hpb::relay
