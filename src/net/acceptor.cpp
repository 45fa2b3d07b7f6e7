#include "net/acceptor.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "net/descriptors.hpp"
#include "net/listen_error.hpp"
#include "net/socket_options.hpp"
#include "net/system_error.hpp"
#include "ops/limits.hpp"
#include "ops/line_gate.hpp"

namespace hpb::net {
namespace {

/// After accept() has failed for want of descriptors or memory.
constexpr std::chrono::milliseconds kAcceptPause{100};
/// Of a Unix socket: its owner's only.
constexpr mode_t kOwnerOnly = S_IRUSR | S_IWUSR;

}  // namespace

Acceptor::Acceptor(const asio::any_io_executor& executor, Options options)
    : socket_(executor), options_(std::move(options)) {}

Result<std::shared_ptr<Acceptor>> Acceptor::listen(const asio::any_io_executor& executor,
                                                   const Endpoint& where, Options options) {
    if (options.name.empty()) options.name = where.to_text();
    auto acceptor = std::make_shared<Acceptor>(executor, std::move(options));
    const error_code error = acceptor->open(where);
    if (error) return listen_error(where.to_text(), error, acceptor->options_.setting);
    return acceptor;
}

error_code Acceptor::open(const Endpoint& where) {
    error_code error;
    if (const auto* inherited = where.inherited()) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        if (::getsockname(inherited->descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0)
            return system_error_now().code();
        socket_.assign({address.ss_family, 0}, inherited->descriptor, error);
    } else if (const auto* local = where.unix_path()) {
        error = bind_unix(local->path);
    } else {
        const tcp::endpoint& address = *where.tcp_address();
        socket_.open(address.protocol(), error);
        if (!error) socket_.set_option(Socket::reuse_address(true), error);
        if (!error && options_.only_v6 && address.address().is_v6())
            socket_.set_option(asio::ip::v6_only(true), error);
        if (!error && options_.inherit_options) set_inherited_options(socket_.native_handle());
        if (!error) socket_.bind(address, error);
    }
    if (!error && where.inherited() == nullptr) socket_.listen(options_.backlog, error);
    if (!error && options_.clients_speak_first) defer_accept(socket_.native_handle());
    if (!error) bound_ = to_tcp(socket_.local_endpoint(error));
    return error;
}

error_code Acceptor::bind_unix(const std::string& path) {
    error_code error;
    if (path.size() >= sizeof(sockaddr_un::sun_path))
        return make_error_code(boost::system::errc::filename_too_long);
    const asio::local::stream_protocol::endpoint address(path);
    socket_.open(address.protocol(), error);
    if (!error) socket_.bind(address, error);
    // Nobody can connect before listen().
    if (!error && ::chmod(path.c_str(), kOwnerOnly) != 0) error = system_error_now().code();
    if (!error) path_ = path;
    return error;
}

void Acceptor::start(OnConnection on_connection, NextExecutor next_executor) {
    if (!next_executor) next_executor = [executor = executor()] { return executor; };
    spawn(executor(), run(shared_from_this(), std::move(on_connection), std::move(next_executor)));
}

awaitable<void> Acceptor::run(std::shared_ptr<Acceptor> self, OnConnection on_connection,
                              NextExecutor next_executor) {
    while (self->socket_.is_open()) {
        asio::generic::stream_protocol::endpoint peer;
        auto [error, socket] = co_await self->socket_.async_accept(next_executor(), peer, kAsTuple);
        if (error == asio::error::operation_aborted) co_return;
        if (error == asio::error::connection_aborted) continue;
        if (error) {
            self->tell_failure(error);
            co_await sleep_for(kAcceptPause);
            continue;
        }
        if (self->options_.keeps_reserve) {
            co_await wait_for_descriptors(socket.native_handle(), self->options_.component,
                                          self->options_.name);
        }
        if (!self->socket_.is_open()) co_return;
        on_connection(Stream(std::move(socket)), to_tcp(peer));
    }
}

void Acceptor::tell_failure(const error_code& error) {
    ops::reached(ops::Limit::failed_accepts);
    std::uint64_t suppressed = 0;
    if (!failures_.admit(Clock::now(), suppressed)) return;
    ops::log_error(options_.component,
                   "{}: cannot accept connections: {}; new connections wait; raise the limit of "
                   "open files{}",
                   options_.name, error.message(), ops::more_since(suppressed));
}

void Acceptor::close() {
    error_code ignored;
    socket_.close(ignored);
    if (!path_.empty()) (void)::unlink(path_.c_str());
    path_.clear();
}

int Acceptor::release() {
    path_.clear();
    error_code error;
    return socket_.is_open() ? socket_.release(error) : -1;
}

}  // namespace hpb::net
