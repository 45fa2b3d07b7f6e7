#include "net/tls/context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>

#include "base/error_category.hpp"
#include "base/text.hpp"
#include "net/tls/failure.hpp"
#if HPB_NATIVE_TLS
#include "net/tls/records.hpp"
#endif

namespace hpb::net {
namespace {

struct X509Free {
    void operator()(X509* x) const { X509_free(x); }
};
struct KeyFree {
    void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
};
struct BioFree {
    void operator()(BIO* b) const { BIO_free(b); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;

/// Large enough for any certificate chain; a larger file is not one.
constexpr std::size_t kMaxPemSize = 1 << 20;
/// Read-ahead: one system call may bring this much ciphertext. Freed whenever it is empty.
constexpr std::size_t kTlsReadBuffer = 32 * 1024;

std::string openssl_reason() {
    const unsigned long code = ERR_peek_last_error();
    const char* reason = ERR_reason_error_string(code);
    ERR_clear_error();
    return reason != nullptr ? reason : "unknown reason";
}

/// OpenSSL itself cannot do what every connection needs: no file is to blame.
Error unusable_error() {
    return {tls_errc::unusable, "OpenSSL cannot be used for TLS (" + openssl_reason() +
                                    "); check its configuration (OPENSSL_CONF, openssl.cnf)"};
}

Error file_error(std::string detail) {
    return {tls_errc::bad_file, std::move(detail)};
}

/// A line may end in CR alone, as on old Macs; OpenSSL wants an LF.
void end_lines_with_lf(std::string& text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) text[i] = '\n';
    }
}

Result<std::string> read_pem(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        return file_error(path + ": cannot be read (" + std::generic_category().message(errno) +
                          ")");
    }
    std::string text(kMaxPemSize + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxPemSize) return file_error(path + ": is too large for a PEM file");
    if (is_utf16(text)) return file_error(path + ": is UTF-16; " + std::string(kUtf16Remedy));
    end_lines_with_lf(text);
    return std::string(without_byte_order_mark(text));
}

BioPtr memory_bio(const std::string& text) {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// TLS 1.3: all three are secure; the first is the cheapest, and the relay's order of preference
// applies.
constexpr const char* kSuites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// TLS 1.2: forward secrecy and authenticated encryption, nothing else.
constexpr const char* kOlderSuites =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/// What both sides have in common.
Result<SslContextPtr> make_context(const SSL_METHOD* method, TlsPolicy policy) {
    ERR_clear_error();
    SslContextPtr made(SSL_CTX_new(method));
    SSL_CTX* context = made.get();
    if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, kSuites) != 1 ||
        SSL_CTX_set_cipher_list(context, kOlderSuites) != 1) {
        return unusable_error();
    }
    // A peer that vanishes without close_notify shows as end of stream; whether that is a clean end
    // is for the WebSocket Close to say.
    SSL_CTX_set_options(
        context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, kTlsReadBuffer);
#if HPB_NATIVE_TLS
    if (policy.records == TlsPolicy::Records::native) TlsRecords::prepare(context);
#else
    (void)policy;
#endif
    return made;
}

Result<void> use_chain(SSL_CTX* context, const std::string& pem, const std::string& name) {
    const BioPtr bio = memory_bio(pem);
    bool first = true;
    for (;;) {
        const std::unique_ptr<X509, X509Free> certificate(
            PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
        if (!certificate) break;
        const auto added = first ? SSL_CTX_use_certificate(context, certificate.get())
                                 : SSL_CTX_add1_chain_cert(context, certificate.get());
        if (added != 1)
            return file_error(name + ": certificate cannot be used (" + openssl_reason() + ")");
        first = false;
    }
    ERR_clear_error();
    if (first) return file_error(name + ": holds no certificate in PEM form");
    return {};
}

// TLS contexts can be created from text, so that temporary certificates are never written to disk.
Result<SslContextPtr> make_server(const std::string& certificate, const std::string& key,
                                  const std::string& certificate_name, const std::string& key_name,
                                  TlsPolicy policy) {
    auto made = make_context(TLS_server_method(), policy);
    if (!made) return made.error();
    SslContextPtr context = std::move(*made);
    SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
    // No resumption: nothing to send after the handshake.
    if (SSL_CTX_set_num_tickets(context.get(), 0) != 1) return unusable_error();
    if (const auto ok = use_chain(context.get(), certificate, certificate_name); !ok)
        return ok.error();
    const BioPtr bio = memory_bio(key);
    const std::unique_ptr<EVP_PKEY, KeyFree> private_key(PEM_read_bio_PrivateKey(
        bio.get(), nullptr, [](char*, int, int, void*) { return 0; }, nullptr));
    if (!private_key) {
        ERR_clear_error();
        return file_error(key_name +
                          ": holds no private key in PEM form (an encrypted one is not supported)");
    }
    if (SSL_CTX_use_PrivateKey(context.get(), private_key.get()) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1) {
        ERR_clear_error();
        return file_error(key_name + ": is not the key of the certificate in " + certificate_name);
    }
    return context;
}

Result<SslContextPtr> make_client(TlsPolicy policy) {
    auto context = make_context(TLS_client_method(), policy);
    if (!context) return context;
    SSL_CTX_set_verify(context->get(), SSL_VERIFY_PEER, keep_rejected_certificate);
    // A name counts where the certificate says what it is for (RFC 9525 section 6.3): never the
    // subject's common name, and no part of a label.
    X509_VERIFY_PARAM_set_hostflags(
        SSL_CTX_get0_param(context->get()),
        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return context;
}

Result<void> trust(SSL_CTX* context, const std::string& pem, const std::string& name) {
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    const BioPtr bio = memory_bio(pem);
    int count = 0;
    for (;;) {
        const std::unique_ptr<X509, X509Free> certificate(
            PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
        if (!certificate) break;
        if (X509_STORE_add_cert(store, certificate.get()) != 1)
            return file_error(name + ": a CA certificate cannot be used (" + openssl_reason() +
                              ")");
        ++count;
    }
    ERR_clear_error();
    if (count == 0) return file_error(name + ": holds no CA certificate in PEM form");
    // A self-signed server certificate may be named as its own CA.
    if (X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) != 1) return unusable_error();
    return {};
}

bool is_ip_literal(const std::string& host) {
    error_code error;
    (void)asio::ip::make_address(host, error);
    return !error;
}

/// Makes a client side that insists on a certificate for `host`. @return false if OpenSSL cannot.
bool expect_name(SSL* ssl, const std::string& host) {
    SSL_set_connect_state(ssl);
    if (is_ip_literal(host)) {
        const std::string address = host.substr(0, host.find('%'));  // without fe80::1's zone
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address.c_str()) == 1;
    }
    // The macro behind this has an old-style cast.
    const long named = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                                const_cast<char*>(host.c_str()));
    return SSL_set1_host(ssl, host.c_str()) == 1 && named == 1;
}

}  // namespace

boost::system::error_code make_error_code(tls_errc e) {
    static const ErrorCategory category{"tls", [](int value) -> const char* {
                                            switch (static_cast<tls_errc>(value)) {
                                                case tls_errc::certificate_not_accepted:
                                                    return "certificate not accepted";
                                                case tls_errc::handshake_failed:
                                                    return "TLS handshake failed";
                                                case tls_errc::bad_file:
                                                    return "unusable certificate or key file";
                                                case tls_errc::unusable:
                                                    return "OpenSSL cannot be used for TLS";
                                            }
                                            return "unknown TLS error";
                                        }};
    return {static_cast<int>(e), category};
}

Result<TlsServerContext> TlsServerContext::from_files(const std::string& certificate_file,
                                                      const std::string& key_file,
                                                      TlsPolicy policy) {
    const auto certificate = read_pem(certificate_file);
    if (!certificate) return certificate.error();
    const auto key = read_pem(key_file);
    if (!key) return key.error();
    auto context = make_server(*certificate, *key, certificate_file, key_file, policy);
    if (!context) return context.error();
    return TlsServerContext(std::move(*context), policy);
}

Result<TlsServerContext> TlsServerContext::from_pem(const std::string& certificate,
                                                    const std::string& key, TlsPolicy policy) {
    auto context = make_server(certificate, key, "certificate", "key", policy);
    if (!context) return context.error();
    return TlsServerContext(std::move(*context), policy);
}

PendingTls TlsServerContext::make() const {
    SslPtr ssl(SSL_new(context_.get()));
    if (ssl) SSL_set_accept_state(ssl.get());
    return {std::move(ssl), policy_};
}

Result<TlsClientContext> TlsClientContext::create(const std::string& ca_file, TlsPolicy policy) {
    if (!ca_file.empty()) {
        const auto pem = read_pem(ca_file);
        if (!pem) return pem.error();
        return trusting(*pem, ca_file, policy);
    }
    auto context = make_client(policy);
    if (!context) return context.error();
    if (SSL_CTX_set_default_verify_paths(context->get()) != 1) return unusable_error();
    return TlsClientContext(std::move(*context), policy);
}

Result<TlsClientContext> TlsClientContext::from_pem(const std::string& ca_certificate,
                                                    TlsPolicy policy) {
    return trusting(ca_certificate, "CA", policy);
}

Result<TlsClientContext> TlsClientContext::trusting(const std::string& pem, const std::string& name,
                                                    TlsPolicy policy) {
    auto context = make_client(policy);
    if (!context) return context.error();
    if (const auto ok = trust(context->get(), pem, name); !ok) return ok.error();
    return TlsClientContext(std::move(*context), policy);
}

PendingTls TlsClientContext::make(const std::string& host) const {
    SslPtr ssl(SSL_new(context_.get()));
    // OpenSSL checks no name at all where it is given none.
    const bool usable = ssl && !host.empty() && expect_name(ssl.get(), host);
    if (!usable) ssl.reset();
    return {std::move(ssl), policy_};
}

bool is_certificate_error(const Error& error) {
    return error.code() == make_error_code(tls_errc::certificate_not_accepted);
}

}  // namespace hpb::net
