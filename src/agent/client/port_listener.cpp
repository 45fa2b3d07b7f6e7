#include "agent/client/port_listener.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "net/descriptors.hpp"
#include "net/socket_options.hpp"
#include "net/source.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::agent::client {
namespace {

namespace asio = net::asio;
constexpr const char* kComponent = "client";
/// The connection that waits while there are no more descriptors than the reserve.
constexpr std::size_t kReservePerPort = 1;

/// Ends a connection as the existing bridge does, with FIN: what has arrived is read first, since
/// the kernel resets a connection that is closed with unread data.
void turn_away(net::Stream stream) {
    constexpr int kMaxReads = 16;
    stream.shutdown_send();
    std::array<std::byte, 4096> unread{};
    for (int i = 0; i < kMaxReads; ++i) {
        const auto read = stream.try_read(unread);
        if (!read || *read == 0) return;
    }
}

}  // namespace

Result<std::shared_ptr<PortListener>> PortListener::bind(
    std::shared_ptr<Bridge> bridge, std::shared_ptr<const ClientContext> context,
    config::ClientMapping mapping) {
    auto where = net::Endpoint::parse(mapping.bind_address, mapping.port);
    if (!where) return where.error();
    net::Acceptor::Options options;
    options.component = kComponent;
    options.setting = "BindToAddress";
    options.backlog = asio::socket_base::max_listen_connections;
    options.only_v6 = true;  // as .NET: "::" and "0.0.0.0" are two mappings
    options.inherit_options = true;
    auto acceptor = net::Acceptor::listen(bridge->executor(), *where, std::move(options));
    if (!acceptor) return acceptor.error();
    return std::make_shared<PortListener>(std::move(*acceptor), std::move(bridge),
                                          std::move(context), std::move(mapping));
}

PortListener::PortListener(std::shared_ptr<net::Acceptor> acceptor, std::shared_ptr<Bridge> bridge,
                           std::shared_ptr<const ClientContext> context,
                           config::ClientMapping mapping)
    : acceptor_(std::move(acceptor)),
      context_(std::move(context)),
      mapping_(std::move(mapping)),
      notes_(std::make_shared<MappingNotes>(net::to_text(endpoint()) + " to " + mapping_.entity +
                                            "/" +
                                            std::to_string(mapping_.remote_configuration_key))),
      bridge_(std::move(bridge)) {
    net::reserve_descriptors(kReservePerPort);
    number_ = bridge_->add_mapping(mapping_, notes_);
}

void PortListener::start() {
    if (mapping_.accept_from.admits_nobody()) {
        ops::log_warn(kComponent,
                      "{}: AcceptFromIpAddresses is empty, so every connection will be rejected; "
                      "\"*\" admits everybody",
                      notes_->name());
    }
    acceptor_->start([self = shared_from_this()](net::Stream application, const auto& peer) {
        self->on_accepted(std::move(application), peer);
    });
}

void PortListener::on_accepted(net::Stream application, const net::tcp::endpoint& peer) {
    std::uint64_t suppressed = 0;
    if (!mapping_.accept_from.admits(net::address_bytes(peer.address()))) {
        if (rejections_.admit(net::Clock::now(), suppressed)) {
            ops::log_warn(
                kComponent,
                "{}: connection from {} rejected, AcceptFromIpAddresses does not admit it{}",
                notes_->name(), peer.address().to_string(), ops::more_since(suppressed));
        }
        return turn_away(std::move(application));
    }
    net::spread_keep_alive(application.descriptor());
    auto ticket = Quota::try_take(context_->connections);
    if (!ticket) {
        ops::reached(ops::Limit::refused_applications);
        if (rejections_.admit(net::Clock::now(), suppressed)) {
            ops::log_warn(kComponent, "{}: connection from {} reset, there are {} already{}",
                          notes_->name(), net::to_text(peer), context_->connections->limit(),
                          ops::more_since(suppressed));
        }
        return reset(std::move(application));
    }
    bridge_->take(number_, std::move(application), peer, std::move(ticket));
}

void PortListener::stop() {
    acceptor_->close();
    bridge_->stop();
}

}  // namespace hpb::agent::client
