#include "net/tls/openssl_transport.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <string>

#include "net/system_error.hpp"
#include "net/tls/batch.hpp"

namespace hpb::net {

namespace asio = boost::asio;

Error openssl_error(const SSL* ssl, int result) {
    const int why = SSL_get_error(ssl, result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return kWouldBlock;
    if (why == SSL_ERROR_ZERO_RETURN) return asio::error::make_error_code(asio::error::eof);
    if (why == SSL_ERROR_SYSCALL) {
        if (errno != 0) return system_error_now();
        return Error(asio::error::connection_reset);
    }
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return {asio::error::connection_aborted,
            std::string("TLS: ") + (reason != nullptr ? reason : "failed")};
}

OpensslTransport::OpensslTransport(SslPtr ssl) : ssl_(std::move(ssl)) {
    SSL_set_read_ahead(ssl_.get(), 1);
}

Error OpensslTransport::explain(int result) {
    Error error = openssl_error(ssl_.get(), result);
    if (error.code() == asio::error::would_block) return error;
    if (!failure_) failure_ = std::make_unique<Error>(std::move(error));
    return *failure_;
}

Result<std::size_t> OpensslTransport::try_read(int descriptor, MutableByteSpan into) {
    if (failure_) return *failure_;
    const auto read = read_records(into);
    // Reading makes records only where TLS itself has something to say; what the socket does not
    // take now goes with the next write.
    (void)TlsBatch::flush(ssl_.get(), descriptor);
    return read;
}

Result<std::size_t> OpensslTransport::read_records(MutableByteSpan into) {
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
            if (!ended) (void)explain(result);
            break;
        }
        if (ended) return std::size_t{0};
        return explain(result);
    }
    return total;
}

Result<std::size_t> OpensslTransport::try_write(int descriptor, ByteSpan data) {
    if (failure_) return *failure_;
    std::size_t total = 0;
    // Nothing is sealed while older records still wait: they are what bounds the memory.
    auto flushed = TlsBatch::flush(ssl_.get(), descriptor);
    while (flushed && total < data.size()) {
        const auto sealed = seal(data.subspan(total));
        flushed = TlsBatch::flush(ssl_.get(), descriptor);
        if (!sealed) return sealed.error();
        total += *sealed;
    }
    if (!flushed && flushed.error().code() != asio::error::would_block) return flushed.error();
    return total;
}

/// Makes records of up to TlsBatch::kPlaintext bytes. @return how many.
Result<std::size_t> OpensslTransport::seal(ByteSpan data) {
    data = data.first(std::min(data.size(), TlsBatch::kPlaintext));
    std::size_t total = 0;
    while (total < data.size()) {
        std::size_t n = 0;
        ERR_clear_error();
        errno = 0;
        const int result = SSL_write_ex(ssl_.get(), data.data() + total, data.size() - total, &n);
        if (result != 1) return explain(result);
        total += n;
    }
    return total;
}

bool OpensslTransport::has_unsent() const {
    return TlsBatch::has_unsent(ssl_.get());
}

void OpensslTransport::send_end(int descriptor) {
    if (failure_) return;
    ERR_clear_error();
    (void)SSL_shutdown(ssl_.get());
    (void)TlsBatch::flush(ssl_.get(), descriptor);
}

}  // namespace hpb::net
