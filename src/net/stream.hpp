#pragma once

#include <sys/uio.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <span>

#include "net/coro.hpp"
#include "net/slab.hpp"
#include "net/transport.hpp"

namespace hpb::net {

/// A connected stream socket, TCP's as a rule, and the Transport that its bytes take. One reader
/// and one writer at a time; both may be the same coroutine.
///
/// A Stream is ended from outside by interrupt(), never by closing: the descriptor stays ours until
/// the owner destroys the Stream, so it can't be another connection's by then.
class Stream {
public:
    using Socket = asio::generic::stream_protocol::socket;

    /// Plain, until use() says otherwise.
    explicit Stream(Socket socket);
    Stream(Stream&&) noexcept = default;
    Stream& operator=(Stream&&) noexcept = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream() = default;

    /// Puts another transport in place of the one there is. No operation may be pending.
    void use(TransportPtr transport) { transport_ = std::move(transport); }

    /// @return bytes read; 0 at the end of the stream. try_read() gives would_block instead of
    /// waiting.
    [[nodiscard]] awaitable<Result<std::size_t>> read_some(MutableByteSpan into);
    [[nodiscard]] Result<std::size_t> try_read(MutableByteSpan into) {
        return transport_->try_read(descriptor(), into);
    }
    /// As read_some(), into a slab of its own, which is held only once there are bytes for it: a
    /// connection that waits costs no buffer.
    [[nodiscard]] awaitable<Result<std::size_t>> read_some(Slab& slab);
    /// After try_read() gave would_block: waits until another try makes sense.
    [[nodiscard]] awaitable<Result<void>> wait_readable();
    [[nodiscard]] awaitable<Result<void>> wait_writable();

    /// Writes all of `data`. A failed or interrupted write leaves the stream unusable.
    [[nodiscard]] awaitable<Result<void>> write(ByteSpan data);
    /// Writes what fits now. @return bytes taken, 0 if none. Under TLS some that were taken may
    /// still have to be sent: see has_unsent().
    [[nodiscard]] Result<std::size_t> try_write(ByteSpan data) {
        return transport_->try_write(descriptor(), data);
    }
    /// True if write(), even of nothing, has to be called to send what try_write() has taken.
    [[nodiscard]] bool has_unsent() const { return transport_->has_unsent(); }

    /// For plain streams only, past the transport: one system call for several buffers.
    /// @return as try_read(); would_block instead of waiting, for both.
    [[nodiscard]] Result<std::size_t> try_read_vector(std::span<iovec> into);
    [[nodiscard]] Result<std::size_t> try_write_vector(std::span<iovec> data);

    enum class Until { readable, writable, failed };
    [[nodiscard]] awaitable<Result<void>> wait(Until what);
    /// Waits by a callback rather than a coroutine, which costs a connection that waits one pending
    /// operation and no frame. The callback is told of an error, such as cancel().
    template <class Handler>
    void async_wait(Until what, Handler handler) {
        socket_.async_wait(kWaits[static_cast<std::size_t>(what)], std::move(handler));
    }
    /// Ends all pending waits with operation_aborted.
    void cancel();

    /// Ends our direction: TLS close_notify, then FIN.
    void shutdown_send();
    /// Makes every pending and later operation fail. Callable at any time on the owner's thread.
    void interrupt();
    /// The destructor will send RST instead of FIN, so that the peer cannot mistake this for a
    /// clean end.
    void reset_on_close();
    /// Closes the socket at once; pending operations end with operation_aborted. Only for an owner
    /// that begins nothing more: the descriptor may be another connection's from then on.
    void close();
    /// Sends FIN and reads until the peer's end or the deadline, so that no RST overtakes what was
    /// sent.
    [[nodiscard]] awaitable<void> close_gracefully(std::chrono::milliseconds limit);

    /// True if the peer's kernel has acknowledged all that was written.
    [[nodiscard]] bool all_sent() const;
    /// Takes the socket's error, if there is one: after a wait for Until::failed.
    [[nodiscard]] error_code take_error();
    /// Time since the other end's kernel last acknowledged anything: a peer that does not read
    /// still acknowledges, a dead one does not. 0 if the system does not say.
    [[nodiscard]] std::chrono::milliseconds since_last_acknowledgement() const;
    /// True if something that was sent, or asked, has to be repeated as the peer's TCP says
    /// nothing.
    [[nodiscard]] bool is_unacknowledged() const;
    /// True once the kernel has given the connection up: after a reset, or when nothing answered
    /// its probes. For a stream that nobody reads.
    [[nodiscard]] bool is_lost() const;

    [[nodiscard]] bool secure() const { return transport_->secure(); }
    /// For socket options (net/socket_options.hpp), and for a library that needs it.
    [[nodiscard]] int descriptor() const;
    /// For a library that reads and writes by itself.
    [[nodiscard]] Result<void> make_non_blocking();
    [[nodiscard]] asio::any_io_executor executor() { return socket_.get_executor(); }
    /// The peer's address; that of no host, port 0, where it is not TCP's.
    [[nodiscard]] tcp::endpoint remote_endpoint() const;

    /// A connection between threads: no coroutine may be using the Stream. See attach().
    struct Detached {
        TransportPtr transport;
        int descriptor = -1;
        int family = 0;  ///< AF_INET …

        Detached() = default;
        Detached(Detached&& other) noexcept;
        Detached& operator=(Detached&& other) noexcept;
        ~Detached();
    };
    [[nodiscard]] Detached detach();
    [[nodiscard]] static Stream attach(const asio::any_io_executor& executor, Detached connection);

private:
    static constexpr Socket::wait_type kWaits[] = {Socket::wait_read, Socket::wait_write,
                                                   Socket::wait_error};

    Socket socket_;
    TransportPtr transport_;
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
