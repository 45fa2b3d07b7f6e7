#include "net/tls/handshake.hpp"

#include <openssl/err.h>

#include "net/system_error.hpp"
#include "net/tls/batch.hpp"

namespace hpb::net {
namespace {

awaitable<Result<void>> flush(SSL* ssl, Stream& stream) {
    for (;;) {
        const auto flushed = TlsBatch::flush(ssl, stream.descriptor());
        if (flushed || flushed.error().code() != asio::error::would_block) co_return flushed;
        const auto ready = co_await stream.wait_writable();
        if (!ready) co_return ready.error();
    }
}

awaitable<Result<void>> shake_hands(Stream& stream, SSL* ssl, HandshakePace* pace) {
    if (ssl == nullptr)
        co_return Error(asio::error::no_memory, "OpenSSL cannot make a TLS connection");
    // OpenSSL reads without flags.
    const auto usable = stream.make_non_blocking();
    if (!usable) co_return usable.error();
    if (!TlsBatch::attach(ssl, stream.descriptor())) co_return Error(asio::error::no_memory);
    // OpenSSL is not to read beyond the handshake.
    SSL_set_read_ahead(ssl, 0);
    for (;;) {
        if (pace != nullptr) {
            const bool admitted = co_await pace->begin_step();
            if (!admitted) co_return Error(asio::error::operation_aborted);
        }
        ERR_clear_error();
        errno = 0;
        const int result = SSL_do_handshake(ssl);
        const Error error = result == 1 ? Error() : openssl_error(ssl, result);
        if (pace != nullptr) pace->end_step();
        // What was made goes out in any case: it may be the alert that tells the peer why.
        const auto flushed = co_await flush(ssl, stream);
        if (result == 1) co_return flushed;
        if (error.code() != asio::error::would_block) co_return error;
        if (!flushed) co_return flushed.error();
        const auto ready = co_await stream.wait_readable();
        if (!ready) co_return ready.error();
    }
}

}  // namespace

awaitable<Result<void>> secure(Stream& stream, PendingTls& tls, HandshakePace* pace) {
    auto done = co_await shake_hands(stream, tls.ssl.get(), pace);
    stream.use(done ? make_transport(std::move(tls.ssl), tls.policy)
                    : make_failed_transport(done.error()));
    co_return done;
}

}  // namespace hpb::net
