#include "agent/port_listener.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/ip/v6_only.hpp>
#include <utility>

#include "net/descriptors.hpp"
#include "net/dial.hpp"
#include "net/listen_error.hpp"
#include "net/socket_options.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::agent {
namespace {

namespace asio = net::asio;
constexpr const char* kComponent = "client";
/// When the process has no descriptor left, the next attempt waits for one to come free.
constexpr std::chrono::milliseconds kAcceptPause{100};

/// The connection that waits while there are no more descriptors than the reserve.
constexpr std::size_t kReservePerPort = 1;

std::string to_text(const net::tcp::endpoint& endpoint) {
    return net::host_port(endpoint.address().to_string(), endpoint.port());
}

Result<net::tcp::acceptor> open_acceptor(const asio::any_io_executor& executor,
                                         const config::ClientMapping& mapping) {
    const std::string where = net::host_port(mapping.bind_address, mapping.port);
    net::error_code error;
    const auto address = asio::ip::make_address(mapping.bind_address, error);
    if (error) return Error(error, "cannot listen on " + where + ": not an IP address");
    const net::tcp::endpoint endpoint(address, mapping.port);
    net::tcp::acceptor acceptor(executor);
    acceptor.open(endpoint.protocol(), error);
    if (!error && address.is_v6()) {
        // As .NET: "::" and "0.0.0.0" are two mappings.
        acceptor.set_option(asio::ip::v6_only(true), error);
    }
    if (!error) acceptor.set_option(net::tcp::acceptor::reuse_address(true), error);
    if (!error) net::set_inherited_options(acceptor.native_handle());
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return net::listen_error(where, error, "BindToAddress");
    return acceptor;
}

/// Ends a connection as the existing bridge does, with FIN: what has arrived is read first, since
/// the kernel resets a connection that is closed with unread data.
void turn_away(net::tcp::socket socket) {
    constexpr int kMaxReads = 16;
    net::error_code error;
    socket.shutdown(net::tcp::socket::shutdown_send, error);
    socket.non_blocking(true, error);
    std::array<std::byte, 4096> unread{};
    for (int i = 0; i < kMaxReads && !error; ++i)
        (void)socket.read_some(asio::buffer(unread), error);
}

}  // namespace

config::IpBytes ip_bytes(const asio::ip::address& address) {
    const auto v6 = address.is_v4()
                        ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4())
                        : address.to_v6();
    const auto bytes = v6.to_bytes();
    config::IpBytes out{};
    std::copy(bytes.begin(), bytes.end(), out.begin());
    return out;
}

Result<std::shared_ptr<PortListener>> PortListener::bind(
    std::shared_ptr<Bridge> bridge, std::shared_ptr<const ClientContext> context,
    config::ClientMapping mapping) {
    auto acceptor = open_acceptor(bridge->executor(), mapping);
    if (!acceptor) return acceptor.error();
    return std::make_shared<PortListener>(std::move(*acceptor), std::move(bridge),
                                          std::move(context), std::move(mapping));
}

PortListener::PortListener(net::tcp::acceptor acceptor, std::shared_ptr<Bridge> bridge,
                           std::shared_ptr<const ClientContext> context,
                           config::ClientMapping mapping)
    : acceptor_(std::move(acceptor)),
      context_(std::move(context)),
      mapping_(std::move(mapping)),
      bridge_(std::move(bridge)) {
    net::error_code ignored;
    endpoint_ = acceptor_.local_endpoint(ignored);
    notes_ = std::make_shared<MappingNotes>(to_text(endpoint_) + " to " + mapping_.entity + "/" +
                                            std::to_string(mapping_.remote_configuration_key));
    net::reserve_descriptors(kReservePerPort);
    number_ = bridge_->add_mapping(mapping_, notes_);
}

net::awaitable<void> PortListener::run(std::shared_ptr<PortListener> self) {
    if (self->mapping_.accept_from.admits_nobody()) {
        ops::log_warn(kComponent,
                      "{}: AcceptFromIpAddresses is empty, so every connection will be rejected; "
                      "\"*\" admits everybody",
                      self->notes_->name());
    }
    net::tcp::endpoint peer;
    while (self->acceptor_.is_open()) {
        auto [error, socket] = co_await self->acceptor_.async_accept(peer, net::kAsTuple);
        if (!error) {
            co_await net::wait_for_descriptors(socket.native_handle(), kComponent,
                                               self->notes_->name());
            if (!self->acceptor_.is_open()) break;
            self->on_accepted(std::move(socket), peer);
            continue;
        }
        if (error == asio::error::operation_aborted || !self->acceptor_.is_open()) break;
        ops::reached(ops::Limit::failed_accepts);
        std::uint64_t suppressed = 0;
        if (self->failures_.admit(net::Clock::now(), suppressed)) {
            ops::log_error(kComponent, "{}: cannot accept a connection: {}; new connections wait",
                           self->notes_->name(), error.message());
        }
        co_await net::sleep_for(kAcceptPause);
    }
}

void PortListener::on_accepted(net::tcp::socket socket, const net::tcp::endpoint& peer) {
    std::uint64_t suppressed = 0;
    if (!mapping_.accept_from.admits(ip_bytes(peer.address()))) {
        if (rejections_.admit(net::Clock::now(), suppressed)) {
            ops::log_warn(
                kComponent,
                "{}: connection from {} rejected, AcceptFromIpAddresses does not admit it{}",
                notes_->name(), peer.address().to_string(), suppressed_text(suppressed));
        }
        return turn_away(std::move(socket));
    }
    net::Stream application(std::move(socket));
    net::spread_keep_alive(application.descriptor());
    auto ticket = Quota::try_take(context_->connections);
    if (!ticket) {
        ops::reached(ops::Limit::refused_applications);
        if (rejections_.admit(net::Clock::now(), suppressed)) {
            ops::log_warn(kComponent, "{}: connection from {} reset, there are {} already{}",
                          notes_->name(), to_text(peer), context_->connections->limit(),
                          suppressed_text(suppressed));
        }
        return reset(std::move(application));
    }
    bridge_->take(number_, std::move(application), peer, std::move(ticket));
}

void PortListener::stop() {
    net::error_code ignored;
    acceptor_.close(ignored);
    bridge_->stop();
}

}  // namespace hpb::agent
