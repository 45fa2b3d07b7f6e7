#include "bench/socket.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace hpb::bench {
namespace {

constexpr int kLimitMs = 10'000;
constexpr int kBacklog = 4096;

std::string name_of(const Address& address) {
    const bool v6 = address.host.find(':') != std::string::npos;
    return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

[[noreturn]] void fail(const std::string& what, int error = errno) {
    throw std::runtime_error(error_text(what, error));
}

Socket make_socket(const Destination& to) {
    Socket socket(::socket(to.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.descriptor() < 0) fail("cannot make a socket for " + to.text);
    return socket;
}

const sockaddr* raw(const Destination& to) {
    return reinterpret_cast<const sockaddr*>(to.bytes.data());
}

}  // namespace

std::string error_text(const std::string& what, int error) {
    return what + ": " + std::generic_category().message(error);
}

Socket::~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Destination resolve(const Address& address) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int error =
        ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
    if (error != 0) {
        throw std::runtime_error("cannot find " + name_of(address) + ": " + ::gai_strerror(error));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
    const auto* bytes = reinterpret_cast<const std::byte*>(found->ai_addr);
    return {{bytes, bytes + found->ai_addrlen}, found->ai_family, name_of(address)};
}

Socket begin_connect(const Destination& to) {
    Socket socket = make_socket(to);
    const int on = 1;
    (void)::setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto size = static_cast<socklen_t>(to.bytes.size());
    if (::connect(socket.descriptor(), raw(to), size) != 0 && errno != EINPROGRESS) {
        fail("cannot connect to " + to.text);
    }
    return socket;
}

int connect_error(const Socket& socket) {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    return error;
}

Socket connect(const Destination& to) {
    Socket socket = begin_connect(to);
    pollfd ready{.fd = socket.descriptor(), .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, kLimitMs) <= 0) fail("cannot connect to " + to.text, ETIMEDOUT);
    if (const int error = connect_error(socket); error != 0) {
        fail("cannot connect to " + to.text, error);
    }
    set_blocking(socket, true);
    const timeval limit{.tv_sec = kLimitMs / 1000, .tv_usec = 0};
    for (const int name : {SO_RCVTIMEO, SO_SNDTIMEO}) {
        (void)::setsockopt(socket.descriptor(), SOL_SOCKET, name, &limit, sizeof limit);
    }
    return socket;
}

std::pair<Socket, Address> listen(const Address& at) {
    const Destination where = resolve(at);
    Socket socket = make_socket(where);
    const int on = 1;
    (void)::setsockopt(socket.descriptor(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto size = static_cast<socklen_t>(where.bytes.size());
    if (::bind(socket.descriptor(), raw(where), size) != 0 ||
        ::listen(socket.descriptor(), kBacklog) != 0) {
        fail("cannot listen on " + where.text);
    }
    sockaddr_storage bound{};
    socklen_t bound_size = sizeof bound;
    (void)::getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&bound), &bound_size);
    // The port lies at the same place for both families.
    Address actual = at;
    actual.port = ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
    return {std::move(socket), actual};
}

void set_blocking(const Socket& socket, bool blocking) {
    const int flags = ::fcntl(socket.descriptor(), F_GETFL);
    (void)::fcntl(socket.descriptor(), F_SETFL,
                  blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

void send_all(const Socket& socket, ByteSpan bytes) {
    while (!bytes.empty()) {
        const auto n = ::send(socket.descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0) fail("cannot send");
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
}

}  // namespace hpb::bench
