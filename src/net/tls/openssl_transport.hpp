#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "net/transport.hpp"

namespace hpb::net {

struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

/// In words, what OpenSSL says of the call that returned `result`; would_block (boost::asio::error)
/// if it has to be repeated. To be called right after it, on the same thread.
[[nodiscard]] Error openssl_error(const SSL* ssl, int result);

/// TLS by OpenSSL alone: TLS 1.2, and TLS 1.3 where our own records are not wanted.
class OpensslTransport final : public Transport {
public:
    /// @param ssl  behind its handshake, attached to a TlsBatch.
    explicit OpensslTransport(SslPtr ssl);

    [[nodiscard]] Result<std::size_t> try_read(int descriptor, MutableByteSpan into) override;
    [[nodiscard]] Result<std::size_t> try_write(int descriptor, ByteSpan data) override;
    [[nodiscard]] bool has_unsent() const override;
    void send_end(int descriptor) override;
    [[nodiscard]] bool secure() const override { return true; }

private:
    [[nodiscard]] Result<std::size_t> read_records(MutableByteSpan into);
    [[nodiscard]] Result<std::size_t> seal(ByteSpan data);
    /// As openssl_error(); what is final is kept, for every later call.
    [[nodiscard]] Error explain(int result);

    SslPtr ssl_;
    std::unique_ptr<Error> failure_;
};

}  // namespace hpb::net
