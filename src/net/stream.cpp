#include "net/stream.hpp"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <random>

#include "net/slab.hpp"
#include "net/tls_batch.hpp"

namespace hpb::net {
namespace {

constexpr int kKeepAliveIdleSeconds = 30;  // up to twice that: spread_keep_alive()
constexpr int kKeepAliveIntervalSeconds = 10;
constexpr int kKeepAliveProbes = 3;

/// A peer that goes on sending is read so far, so that it reads our last words.
constexpr std::size_t kMaxDiscarded = 64 * 1024 * 1024;

const Error kWouldBlock{asio::error::would_block};

Error system_error_now() {
    return {error_code(errno, boost::system::system_category())};
}

/// In words, where OpenSSL says `why` (SSL_get_error) and that is final.
Error ssl_failure(int why) {
    if (why == SSL_ERROR_ZERO_RETURN) return asio::error::make_error_code(asio::error::eof);
    if (why == SSL_ERROR_SYSCALL) {
        if (errno != 0) return system_error_now();
        return Error(asio::error::connection_reset);
    }
    const unsigned long code = ERR_peek_error();
    const char* reason = ERR_reason_error_string(code);
    ERR_clear_error();
    return {asio::error::connection_aborted,
            std::string("TLS: ") + (reason != nullptr ? reason : "failed")};
}

void set_int_option(int fd, int level, int name, int value) {
    // A missing option makes the connection less good, not wrong.
    (void)::setsockopt(fd, level, name, &value, sizeof value);
}

void set_connection_options(int fd) {
    set_int_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
    set_int_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
    // An urgent byte is passed on where it stands in the stream; else the kernel would take it out.
    set_int_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

tcp_info info_of(const tcp::socket& socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    // native_handle() is not const, though asking for it changes nothing.
    const int fd = const_cast<tcp::socket&>(socket).native_handle();
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
    return info;
}

}  // namespace

Stream::Stream(tcp::socket socket) : socket_(std::move(socket)) {}

void Stream::set_options() {
    set_connection_options(socket_.native_handle());
    spread_keep_alive();
}

void Stream::set_options(tcp::acceptor& acceptor) {
    set_connection_options(acceptor.native_handle());
}

void Stream::defer_accept(tcp::acceptor& acceptor) {
    constexpr int kSeconds = 1;
    set_int_option(acceptor.native_handle(), IPPROTO_TCP, TCP_DEFER_ACCEPT, kSeconds);
}

void Stream::spread_keep_alive() {
    thread_local std::minstd_rand random(std::random_device{}());
    const int more = static_cast<int>(random() % (kKeepAliveIdleSeconds + 1));
    set_int_option(socket_.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE,
                   kKeepAliveIdleSeconds + more);
}

void Stream::limit_unsent(std::size_t bytes) {
    set_int_option(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT,
                   static_cast<int>(bytes));
}

awaitable<Result<void>> Stream::wait(Want want) {
    const auto type = want == Want::read ? tcp::socket::wait_read : tcp::socket::wait_write;
    auto [error] = co_await socket_.async_wait(type, kAsTuple);
    if (error) co_return Error(error);
    co_return Result<void>();
}

awaitable<Result<void>> Stream::wait_readable() {
    return wait(Want::read);
}

Error Stream::ssl_error(int result) {
    const int why = SSL_get_error(ssl_.get(), result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return kWouldBlock;
    return fail(ssl_failure(why));
}

Error Stream::fail(Error error) {
    if (!failure_) failure_ = std::make_unique<Error>(std::move(error));
    return *failure_;
}

awaitable<Result<void>> Stream::handshake(SslPtr ssl, HandshakePace* pace) {
    ssl_ = std::move(ssl);
    auto done = co_await shake_hands(pace);
    if (!done) co_return fail(done.error());
    co_return done;
}

awaitable<Result<void>> Stream::shake_hands(HandshakePace* pace) {
    if (!ssl_) co_return Error(asio::error::no_memory, "OpenSSL cannot make a TLS connection");
    // OpenSSL reads without flags.
    error_code unusable;
    socket_.native_non_blocking(true, unusable);
    if (unusable) co_return Error(unusable);
    if (!TlsBatch::attach(ssl_.get(), socket_.native_handle()))
        co_return Error(asio::error::no_memory);
    // OpenSSL is not to read beyond the handshake.
    SSL_set_read_ahead(ssl_.get(), 0);
    for (;;) {
        if (pace != nullptr) {
            const bool admitted = co_await pace->begin_step();
            if (!admitted) co_return Error(asio::error::operation_aborted);
        }
        ERR_clear_error();
        errno = 0;
        const int result = SSL_do_handshake(ssl_.get());
        const Error error = result == 1 ? Error() : ssl_error(result);
        if (pace != nullptr) pace->end_step();
        // What was made goes out in any case: it may be the alert that tells the peer why.
        const auto flushed = co_await flush_records();
        if (result == 1) {
            if (flushed) leave_handshake();
            co_return flushed;
        }
        if (error.code() != asio::error::would_block) co_return error;
        if (!flushed) co_return flushed.error();
        const auto ready = co_await wait(Want::read);
        if (!ready) co_return ready.error();
    }
}

void Stream::leave_tls() {
    ssl_.reset();
    failure_.reset();
}

void Stream::leave_handshake() {
    records_ = TlsRecords::take_over(ssl_.get());
    if (records_) {
        ssl_.reset();
    } else {
        SSL_set_read_ahead(ssl_.get(), 1);
    }
}

awaitable<Result<void>> Stream::flush_records() {
    for (;;) {
        const auto flushed = TlsBatch::flush(ssl_.get(), socket_.native_handle());
        if (flushed || flushed.error().code() != asio::error::would_block) co_return flushed;
        const auto ready = co_await wait(Want::write);
        if (!ready) co_return ready.error();
    }
}

Result<std::size_t> Stream::try_read(MutableByteSpan into) {
    if (records_) return records_->try_read(socket_.native_handle(), into);
    if (failure_) return *failure_;
    if (!ssl_) {
        const auto n = ::recv(socket_.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
        if (n >= 0) return static_cast<std::size_t>(n);
        if (errno == EAGAIN || errno == EINTR) return kWouldBlock;
        return system_error_now();
    }
    const auto read = try_read_records(into);
    // Reading makes records only where TLS itself has something to say; what the socket does not
    // take now goes with the next write.
    (void)TlsBatch::flush(ssl_.get(), socket_.native_handle());
    return read;
}

Result<std::size_t> Stream::try_read_records(MutableByteSpan into) {
    // Several records may be waiting; each SSL_read gives one at most.
    std::size_t total = 0;
    while (total < into.size()) {
        std::size_t n = 0;
        ERR_clear_error();
        errno = 0;
        const int result = SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &n);
        if (result == 1) {
            total += n;
            continue;
        }
        const bool ended = SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN;
        if (total > 0) {
            // What ended the loop is told by the next call: an end shows again, a failure is kept.
            if (!ended) (void)ssl_error(result);
            break;
        }
        if (ended) return std::size_t{0};
        return ssl_error(result);
    }
    return total;
}

awaitable<Result<std::size_t>> Stream::read_some(MutableByteSpan into) {
    for (;;) {
        auto read = try_read(into);
        if (read || read.error().code() != asio::error::would_block) co_return read;
        const auto ready = co_await wait(Want::read);
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
        const auto ready = co_await wait(Want::read);
        if (!ready) co_return ready.error();
    }
}

Result<std::size_t> Stream::try_write(ByteSpan data) {
    if (records_) return records_->try_write(socket_.native_handle(), data);
    if (failure_) return *failure_;
    if (!ssl_) {
        const auto n =
            ::send(socket_.native_handle(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) return static_cast<std::size_t>(n);
        if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
        return system_error_now();
    }
    std::size_t total = 0;
    // Nothing is sealed while older records still wait: they are what bounds the memory.
    auto flushed = TlsBatch::flush(ssl_.get(), socket_.native_handle());
    while (flushed && total < data.size()) {
        const auto sealed = seal(data.subspan(total));
        flushed = TlsBatch::flush(ssl_.get(), socket_.native_handle());
        if (!sealed) return sealed.error();
        total += *sealed;
    }
    if (!flushed && flushed.error().code() != asio::error::would_block) return flushed.error();
    return total;
}

/// Makes records of up to TlsBatch::kPlaintext bytes. @return how many.
Result<std::size_t> Stream::seal(ByteSpan data) {
    data = data.first(std::min(data.size(), TlsBatch::kPlaintext));
    std::size_t total = 0;
    while (total < data.size()) {
        std::size_t n = 0;
        ERR_clear_error();
        errno = 0;
        const int result = SSL_write_ex(ssl_.get(), data.data() + total, data.size() - total, &n);
        if (result != 1) return ssl_error(result);
        total += n;
    }
    return total;
}

bool Stream::has_unsent() const {
    if (records_) return records_->has_unsent();
    return ssl_ && TlsBatch::has_unsent(ssl_.get());
}

awaitable<Result<void>> Stream::write(ByteSpan data) {
    for (;;) {
        const auto written = try_write(data);
        if (!written) co_return written.error();
        data = data.subspan(*written);
        if (data.empty() && !has_unsent()) co_return Result<void>();
        const auto ready = co_await wait(Want::write);
        if (!ready) co_return ready.error();
    }
}

void Stream::shutdown_send() {
    if (records_) records_->send_close_notify(socket_.native_handle());
    if (ssl_ && !failure_ && SSL_is_init_finished(ssl_.get())) {
        ERR_clear_error();
        // Best effort: it does not fit if the peer has stopped reading.
        (void)SSL_shutdown(ssl_.get());
        (void)TlsBatch::flush(ssl_.get(), socket_.native_handle());
    }
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void Stream::interrupt() {
    if (socket_.is_open()) ::shutdown(socket_.native_handle(), SHUT_RDWR);
}

void Stream::reset_on_close() {
    if (!socket_.is_open()) return;
    const linger now{.l_onoff = 1, .l_linger = 0};
    (void)::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
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

std::chrono::milliseconds Stream::since_last_acknowledgement() const {
    return std::chrono::milliseconds(info_of(socket_).tcpi_last_ack_recv);
}

bool Stream::is_lost() const {
    return info_of(socket_).tcpi_state == TCP_CLOSE;
}

bool Stream::is_unacknowledged() const {
    const tcp_info info = info_of(socket_);
    // A peer that does not read answers each probe of its window, so that one is under way at most.
    return (info.tcpi_unacked > 0 && info.tcpi_retransmits > 0) || info.tcpi_probes > 1;
}

tcp::endpoint Stream::remote_endpoint() const {
    error_code ignored;
    return socket_.remote_endpoint(ignored);
}

Stream::Detached::Detached(Detached&& other) noexcept
    : ssl(std::move(other.ssl)),
      failure(std::move(other.failure)),
      records(std::move(other.records)),
      descriptor(std::exchange(other.descriptor, -1)),
      v6(other.v6) {}

Stream::Detached& Stream::Detached::operator=(Detached&& other) noexcept {
    std::swap(ssl, other.ssl);
    std::swap(failure, other.failure);
    std::swap(records, other.records);
    std::swap(descriptor, other.descriptor);
    std::swap(v6, other.v6);
    return *this;
}

Stream::Detached::~Detached() {
    if (descriptor >= 0) ::close(descriptor);
}

Stream::Detached Stream::detach() {
    Detached connection;
    error_code ignored;
    connection.v6 = socket_.local_endpoint(ignored).protocol() == tcp::v6();
    connection.ssl = std::move(ssl_);
    connection.failure = std::move(failure_);
    connection.records = std::move(records_);
    connection.descriptor = socket_.release(ignored);
    return connection;
}

Stream Stream::attach(const asio::any_io_executor& executor, Detached connection) {
    tcp::socket socket(executor);
    error_code error;
    socket.assign(connection.v6 ? tcp::v6() : tcp::v4(), connection.descriptor, error);
    // Only a full epoll table makes assign() fail; the stream then reports a closed socket to its
    // user, and `connection` still owns the descriptor and closes it.
    if (error) return Stream(std::move(socket));
    connection.descriptor = -1;
    Stream stream(std::move(socket));
    stream.ssl_ = std::move(connection.ssl);
    stream.failure_ = std::move(connection.failure);
    stream.records_ = std::move(connection.records);
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
