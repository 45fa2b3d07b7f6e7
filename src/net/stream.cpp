#include "net/stream.hpp"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "net/socket_options.hpp"
#include "net/system_error.hpp"

namespace hpb::net {
namespace {

/// A peer that goes on sending is read so far, so that it reads our last words.
constexpr std::size_t kMaxDiscarded = 64 * 1024 * 1024;

tcp_info info_of(int descriptor) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
    return info;
}

/// @return of recvmsg() or sendmsg(), as a transport puts it.
Result<std::size_t> outcome(ssize_t n) {
    if (n >= 0) return static_cast<std::size_t>(n);
    return would_block() ? kWouldBlock : system_error_now();
}

}  // namespace

Stream::Stream(Socket socket) : socket_(std::move(socket)), transport_(plain_transport()) {}

int Stream::descriptor() const {
    // native_handle() is not const, though asking for it changes nothing.
    return const_cast<Socket&>(socket_).native_handle();
}

Result<void> Stream::make_non_blocking() {
    error_code error;
    socket_.native_non_blocking(true, error);
    if (error) return Error(error);
    return {};
}

awaitable<Result<void>> Stream::wait(Until what) {
    auto [error] = co_await socket_.async_wait(kWaits[static_cast<std::size_t>(what)], kAsTuple);
    if (error) co_return Error(error);
    co_return Result<void>();
}

awaitable<Result<void>> Stream::wait_readable() {
    return wait(Until::readable);
}

awaitable<Result<void>> Stream::wait_writable() {
    return wait(Until::writable);
}

void Stream::cancel() {
    error_code ignored;
    socket_.cancel(ignored);
}

awaitable<Result<std::size_t>> Stream::read_some(MutableByteSpan into) {
    for (;;) {
        auto read = try_read(into);
        if (read || read.error().code() != asio::error::would_block) co_return read;
        const auto ready = co_await wait(Until::readable);
        if (!ready) co_return ready.error();
    }
}

awaitable<Result<std::size_t>> Stream::read_some(Slab& slab) {
    for (;;) {
        slab = Slab::take();
        auto read = try_read(slab.span());
        if (read && *read > 0) co_return read;
        slab.release();
        if (read || read.error().code() != asio::error::would_block) co_return read;
        const auto ready = co_await wait(Until::readable);
        if (!ready) co_return ready.error();
    }
}

awaitable<Result<void>> Stream::write(ByteSpan data) {
    for (;;) {
        const auto written = try_write(data);
        if (!written) co_return written.error();
        data = data.subspan(*written);
        if (data.empty() && !has_unsent()) co_return Result<void>();
        const auto ready = co_await wait(Until::writable);
        if (!ready) co_return ready.error();
    }
}

Result<std::size_t> Stream::try_read_vector(std::span<iovec> into) {
    msghdr message{};
    message.msg_iov = into.data();
    message.msg_iovlen = into.size();
    return outcome(::recvmsg(descriptor(), &message, MSG_DONTWAIT));
}

Result<std::size_t> Stream::try_write_vector(std::span<iovec> data) {
    msghdr message{};
    message.msg_iov = data.data();
    message.msg_iovlen = data.size();
    return outcome(::sendmsg(descriptor(), &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

void Stream::shutdown_send() {
    transport_->send_end(descriptor());
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
}

void Stream::interrupt() {
    if (socket_.is_open()) ::shutdown(descriptor(), SHUT_RDWR);
}

void Stream::reset_on_close() {
    if (socket_.is_open()) net::reset_on_close(descriptor());
}

void Stream::close() {
    error_code ignored;
    socket_.close(ignored);
}

awaitable<void> Stream::close_gracefully(std::chrono::milliseconds limit) {
    shutdown_send();
    Deadline deadline(*this, limit);
    Slab slab;
    std::size_t discarded = 0;
    while (discarded < kMaxDiscarded) {
        const auto read = co_await read_some(slab);
        if (!read || *read == 0) co_return;
        discarded += *read;
    }
}

bool Stream::all_sent() const {
    int unsent = 0;
    if (::ioctl(descriptor(), SIOCOUTQ, &unsent) != 0) return true;
    return unsent == 0;
}

error_code Stream::take_error() {
    int error = 0;
    socklen_t size = sizeof error;
    (void)::getsockopt(descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
    return {error, boost::system::system_category()};
}

std::chrono::milliseconds Stream::since_last_acknowledgement() const {
    return std::chrono::milliseconds(info_of(descriptor()).tcpi_last_ack_recv);
}

bool Stream::is_lost() const {
    return info_of(descriptor()).tcpi_state == TCP_CLOSE;
}

bool Stream::is_unacknowledged() const {
    const tcp_info info = info_of(descriptor());
    // A peer that does not read answers each probe of its window, so that one is under way at most.
    return (info.tcpi_unacked > 0 && info.tcpi_retransmits > 0) || info.tcpi_probes > 1;
}

tcp::endpoint Stream::remote_endpoint() const {
    error_code error;
    const auto generic = socket_.remote_endpoint(error);
    tcp::endpoint endpoint;
    const int family = generic.protocol().family();
    if (error || (family != AF_INET && family != AF_INET6)) return endpoint;
    std::memcpy(endpoint.data(), generic.data(), generic.size());
    endpoint.resize(generic.size());
    return endpoint;
}

Stream::Detached::Detached(Detached&& other) noexcept
    : transport(std::move(other.transport)),
      descriptor(std::exchange(other.descriptor, -1)),
      family(other.family) {}

Stream::Detached& Stream::Detached::operator=(Detached&& other) noexcept {
    std::swap(transport, other.transport);
    std::swap(descriptor, other.descriptor);
    std::swap(family, other.family);
    return *this;
}

Stream::Detached::~Detached() {
    if (descriptor >= 0) ::close(descriptor);
}

Stream::Detached Stream::detach() {
    Detached connection;
    error_code ignored;
    connection.family = socket_.local_endpoint(ignored).protocol().family();
    connection.transport = std::move(transport_);
    connection.descriptor = socket_.release(ignored);
    return connection;
}

Stream Stream::attach(const asio::any_io_executor& executor, Detached connection) {
    Stream stream{Socket(executor)};
    // All that is a stream has one protocol: 0 is TCP of TCP's families.
    error_code error;
    stream.socket_.assign(asio::generic::stream_protocol(connection.family, 0),
                          connection.descriptor, error);
    // Only a full epoll table makes assign() fail; the stream then reports a closed socket to its
    // user, and `connection` still owns the descriptor and closes it.
    if (error) return stream;
    connection.descriptor = -1;
    stream.transport_ = std::move(connection.transport);
    return stream;
}

Deadline::Deadline(Stream& stream, std::chrono::steady_clock::duration limit)
    : timer_(stream.executor()),
      expired_(std::make_shared<bool>(false)),
      armed_(std::make_shared<bool>(true)) {
    timer_.expires_after(limit);
    timer_.async_wait([&stream, expired = expired_, armed = armed_](error_code error) {
        if (error || !*armed) return;
        *expired = true;
        stream.interrupt();
    });
}

Deadline::~Deadline() {
    *armed_ = false;
}

}  // namespace hpb::net
