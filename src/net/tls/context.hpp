#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "base/error.hpp"
#include "net/tls/handshake.hpp"

namespace hpb::net {

struct SslContextFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContextPtr = std::unique_ptr<SSL_CTX, SslContextFree>;

/// The relay's certificate and settings: TLS 1.2 and later. Made once, then shared by all threads.
class TlsServerContext {
public:
    /// @return an error that names the file and what is wrong with it (missing, no PEM, key does
    /// not fit …).
    [[nodiscard]] static Result<TlsServerContext> from_files(const std::string& certificate_file,
                                                             const std::string& key_file,
                                                             TlsPolicy policy);
    [[nodiscard]] static Result<TlsServerContext> from_pem(const std::string& certificate,
                                                           const std::string& key,
                                                           TlsPolicy policy);

    /// A new server side of a connection.
    [[nodiscard]] PendingTls make() const;

private:
    TlsServerContext(SslContextPtr context, TlsPolicy policy)
        : context_(std::move(context)), policy_(policy) {}
    SslContextPtr context_;
    TlsPolicy policy_;
};

/// What a dialling side trusts. Made once, then shared by all threads.
class TlsClientContext {
public:
    /// @param ca_file  PEM file of the only CAs to trust; "": the system's store.
    [[nodiscard]] static Result<TlsClientContext> create(const std::string& ca_file,
                                                         TlsPolicy policy);
    [[nodiscard]] static Result<TlsClientContext> from_pem(const std::string& ca_certificate,
                                                           TlsPolicy policy);

    /// A new client side that will insist on a certificate for `host` (name or IP literal) and
    /// sends SNI for a name.
    [[nodiscard]] PendingTls make(const std::string& host) const;

private:
    TlsClientContext(SslContextPtr context, TlsPolicy policy)
        : context_(std::move(context)), policy_(policy) {}
    [[nodiscard]] static Result<TlsClientContext> trusting(const std::string& pem,
                                                           const std::string& name,
                                                           TlsPolicy policy);
    SslContextPtr context_;
    TlsPolicy policy_;
};

/// True if `error` comes from a certificate that was not accepted: trying again will not help.
[[nodiscard]] bool is_certificate_error(const Error& error);

enum class tls_errc {
    certificate_not_accepted = 1,
    handshake_failed,
    bad_file,
    unusable,  ///< OpenSSL cannot do what TLS needs, as its configuration stands
};
[[nodiscard]] boost::system::error_code make_error_code(tls_errc e);

}  // namespace hpb::net

template <>
struct boost::system::is_error_code_enum<hpb::net::tls_errc> : std::true_type {};
