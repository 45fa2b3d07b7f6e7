#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>

#include "net/coro.hpp"
#include "net/slab.hpp"
#include "net/tls_records.hpp"

namespace hpb::net {

struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

/// Says when a handshake may use the processor: making keys and signatures is the most that a
/// stranger can ask for.
class HandshakePace {
public:
    virtual ~HandshakePace() = default;
    /// Waits for a turn. @return false: there is none, give up.
    [[nodiscard]] virtual awaitable<bool> begin_step() = 0;
    virtual void end_step() = 0;
};

/// A TCP connection, plain or under TLS. One reader and one writer at a time; both may be the same
/// coroutine. TLS 1.3 records are sealed and opened here (TlsRecords); OpenSSL makes the handshake,
/// and stays for what is older (TlsBatch). An idle connection holds no record buffers.
///
/// A Stream is ended from outside by interrupt(), never by closing: the descriptor stays ours until
/// the owner destroys the Stream, so it can't be another connection's by then.
class Stream {
public:
    explicit Stream(tcp::socket socket);
    Stream(Stream&&) noexcept = default;
    Stream& operator=(Stream&&) noexcept = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream() = default;

    /// Runs the TLS handshake that `ssl` is prepared for. Bounded in time by the caller (Deadline).
    /// A failure of TLS, here and later, is final: nothing is read or written after it.
    /// @param ssl  null, where OpenSSL could not make one, is such a failure.
    /// @param pace  asked before each step; null: none.
    [[nodiscard]] awaitable<Result<void>> handshake(SslPtr ssl, HandshakePace* pace = nullptr);

    /// After a handshake that failed: back to plain TCP, to answer a peer that speaks no TLS.
    /// Nothing that is for TLS may be written then.
    void leave_tls();

    /// @return bytes read; 0 at the end of the stream. try_read() gives would_block instead of
    /// waiting.
    [[nodiscard]] awaitable<Result<std::size_t>> read_some(MutableByteSpan into);
    [[nodiscard]] Result<std::size_t> try_read(MutableByteSpan into);
    /// As read_some(), into a slab of its own, which is held only once there are bytes for it: a
    /// connection that waits costs no buffer.
    [[nodiscard]] awaitable<Result<std::size_t>> read_some(Slab& slab);
    /// After try_read() gave would_block: waits until another try makes sense.
    [[nodiscard]] awaitable<Result<void>> wait_readable();

    /// Writes all of `data`. A failed or interrupted write leaves the stream unusable.
    [[nodiscard]] awaitable<Result<void>> write(ByteSpan data);
    /// Writes what fits now. @return bytes taken, 0 if none. Under TLS some that were taken may
    /// still have to be sent: see has_unsent().
    [[nodiscard]] Result<std::size_t> try_write(ByteSpan data);
    /// True if write(), even of nothing, has to be called to send what try_write() has taken.
    [[nodiscard]] bool has_unsent() const;

    /// Ends our direction: TLS close_notify, then FIN.
    void shutdown_send();
    /// Makes every pending and later operation fail. Callable at any time on the owner's thread.
    void interrupt();
    /// The destructor will send RST instead of FIN, so that the peer cannot mistake this for a
    /// clean end.
    void reset_on_close();
    /// Sends FIN and reads until the peer's end or the deadline, so that no RST overtakes what was
    /// sent.
    [[nodiscard]] awaitable<void> close_gracefully(std::chrono::milliseconds limit);

    /// Unbuffered small writes and keep-alive probes (dead networks show within a minute and a half
    /// when idle).
    void set_options();
    /// The same for a listening socket: what it accepts inherits them. Saves five system calls for
    /// each connection; spread_keep_alive() is left to each.
    static void set_options(tcp::acceptor& acceptor);
    /// A connection is accepted when its first bytes have come, or after a second or two without:
    /// one that says nothing costs the kernel a few bytes meanwhile. Only where clients speak
    /// first.
    static void defer_accept(tcp::acceptor& acceptor);
    /// Connections that were opened together do not send their probes together: a hundred thousand
    /// at once would overrun a queue somewhere, and end those whose probes were lost.
    void spread_keep_alive();

    /// Lets the kernel take only so many bytes ahead of what it sends (TCP_NOTSENT_LOWAT), so that
    /// what is written next is not far behind.
    void limit_unsent(std::size_t bytes);

    /// Time since the other end's kernel last acknowledged anything: a peer that does not read
    /// still acknowledges, a dead one does not. 0 if the system does not say.
    [[nodiscard]] std::chrono::milliseconds since_last_acknowledgement() const;
    /// True if something that was sent, or asked, has to be repeated as the peer's TCP says
    /// nothing.
    [[nodiscard]] bool is_unacknowledged() const;

    /// True once the kernel has given the connection up: after a reset, or when nothing answered
    /// its probes. For a stream that nobody reads.
    [[nodiscard]] bool is_lost() const;

    [[nodiscard]] bool secure() const { return ssl_ != nullptr || records_ != nullptr; }
    /// For the reason of a handshake's failure; null otherwise, as a rule.
    [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
    [[nodiscard]] tcp::socket& socket() { return socket_; }
    [[nodiscard]] asio::any_io_executor executor() { return socket_.get_executor(); }
    [[nodiscard]] tcp::endpoint remote_endpoint() const;

    /// A connection between threads: no coroutine may be using the Stream. See attach().
    struct Detached {
        SslPtr ssl;
        std::unique_ptr<Error> failure;
        std::unique_ptr<TlsRecords> records;
        int descriptor = -1;
        bool v6 = false;

        Detached() = default;
        Detached(Detached&& other) noexcept;
        Detached& operator=(Detached&& other) noexcept;
        ~Detached();
    };
    [[nodiscard]] Detached detach();
    [[nodiscard]] static Stream attach(const asio::any_io_executor& executor, Detached connection);

private:
    enum class Want { read, write };
    [[nodiscard]] Error ssl_error(int result);
    /// Makes `error` what every later operation ends with, unless there was one before.
    Error fail(Error error);
    [[nodiscard]] awaitable<Result<void>> shake_hands(HandshakePace* pace);
    [[nodiscard]] awaitable<Result<void>> wait(Want want);
    void leave_handshake();
    [[nodiscard]] awaitable<Result<void>> flush_records();
    [[nodiscard]] Result<std::size_t> try_read_records(MutableByteSpan into);
    [[nodiscard]] Result<std::size_t> seal(ByteSpan data);

    // The order matters: the SSL object uses the socket's descriptor and goes first.
    tcp::socket socket_;
    SslPtr ssl_;                           // during the handshake, and for TLS 1.2
    std::unique_ptr<Error> failure_;       // of TLS until then: final
    std::unique_ptr<TlsRecords> records_;  // from then on
};

/// Interrupts a stream when time is up, unless destroyed before.
class Deadline {
public:
    Deadline(Stream& stream, std::chrono::steady_clock::duration limit);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    [[nodiscard]] bool expired() const { return *expired_; }

private:
    asio::steady_timer timer_;
    std::shared_ptr<bool> expired_;  // shared with the timer's handler, which may be queued already
    std::shared_ptr<bool> armed_;
};

}  // namespace hpb::net
