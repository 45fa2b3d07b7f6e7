#include "net/tls_context.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/error_category.hpp"
#include "net/tls_records.hpp"

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

Error file_error(std::string detail) {
    return {tls_errc::bad_file, std::move(detail)};
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
    return text;
}

BioPtr memory_bio(const std::string& text) {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

void set_common_options(SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    // A peer that vanishes without close_notify shows as end of stream; whether that is a clean end
    // is for the WebSocket Close to say.
    SSL_CTX_set_options(
        context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    // All three are safe for decades; the first costs least, and the relay's order counts.
    SSL_CTX_set_ciphersuites(context,
                             "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                             "TLS_CHACHA20_POLY1305_SHA256");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, kTlsReadBuffer);
    TlsRecords::prepare(context);
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

// ssl/tls contexts are made from text so that throw-away certificates never touch the disk.
Result<SslContextPtr> make_server(const std::string& certificate, const std::string& key,
                                  const std::string& certificate_name,
                                  const std::string& key_name) {
    SslContextPtr context(SSL_CTX_new(TLS_server_method()));
    set_common_options(context.get());
    SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context.get(),
                            0);  // no resumption: nothing to send after the handshake
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

// OpenSSL forgets a certificate that it does not accept; the explanation to the operator needs it.
int rejected_certificate_index() {
    static const int index =
        SSL_get_ex_new_index(0, nullptr, nullptr, nullptr,
                             [](void*, void* certificate, CRYPTO_EX_DATA*, int, long, void*) {
                                 X509_free(static_cast<X509*>(certificate));
                             });
    return index;
}

int keep_rejected_certificate(int accepted, X509_STORE_CTX* verification) {
    if (accepted == 1) return 1;
    auto* ssl = static_cast<SSL*>(
        X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
    X509* certificate = X509_STORE_CTX_get_current_cert(verification);
    if (certificate != nullptr && SSL_get_ex_data(ssl, rejected_certificate_index()) == nullptr) {
        X509_up_ref(certificate);
        SSL_set_ex_data(ssl, rejected_certificate_index(), certificate);
    }
    return 0;
}

SslContextPtr make_client() {
    SslContextPtr context(SSL_CTX_new(TLS_client_method()));
    set_common_options(context.get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, keep_rejected_certificate);
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
        X509_STORE_add_cert(store, certificate.get());
        ++count;
    }
    ERR_clear_error();
    if (count == 0) return file_error(name + ": holds no CA certificate in PEM form");
    // A self-signed server certificate may be named as its own CA.
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return {};
}

std::string time_text(const ASN1_TIME* time) {
    std::tm fields{};
    if (ASN1_TIME_to_tm(time, &fields) != 1) return "an unreadable date";
    char text[32];
    const auto size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &fields);
    return {text, size};
}

std::string names_of(X509* certificate) {
    std::string names;
    auto* list = static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; list != nullptr && i < sk_GENERAL_NAME_num(list) && names.size() < 200; ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
        std::string text;
        if (name->type == GEN_DNS) {
            text.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                        static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
        } else if (name->type == GEN_IPADD) {
            char shown[INET6_ADDRSTRLEN] = "?";
            const bool v4 = ASN1_STRING_length(name->d.iPAddress) == 4;
            (void)::inet_ntop(v4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress),
                              shown, sizeof shown);
            text = std::string("IP ") + shown;
        } else {
            continue;
        }
        names += (names.empty() ? "" : ", ") + text;
    }
    GENERAL_NAMES_free(list);
    return names.empty() ? "no names" : names;
}

bool is_ip_literal(const std::string& host) {
    error_code error;
    (void)asio::ip::make_address(host, error);
    return !error;
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
                                            }
                                            return "unknown TLS error";
                                        }};
    return {static_cast<int>(e), category};
}

Result<TlsServerContext> TlsServerContext::from_files(const std::string& certificate_file,
                                                      const std::string& key_file) {
    const auto certificate = read_pem(certificate_file);
    if (!certificate) return certificate.error();
    const auto key = read_pem(key_file);
    if (!key) return key.error();
    auto context = make_server(*certificate, *key, certificate_file, key_file);
    if (!context) return context.error();
    return TlsServerContext(std::move(*context));
}

Result<TlsServerContext> TlsServerContext::from_pem(const std::string& certificate,
                                                    const std::string& key) {
    auto context = make_server(certificate, key, "certificate", "key");
    if (!context) return context.error();
    return TlsServerContext(std::move(*context));
}

SslPtr TlsServerContext::make() const {
    SslPtr ssl(SSL_new(context_.get()));
    SSL_set_accept_state(ssl.get());
    return ssl;
}

Result<TlsClientContext> TlsClientContext::create(const std::string& ca_file) {
    if (ca_file.empty()) {
        SslContextPtr context = make_client();
        SSL_CTX_set_default_verify_paths(context.get());
        return TlsClientContext(std::move(context));
    }
    const auto pem = read_pem(ca_file);
    if (!pem) return pem.error();
    SslContextPtr context = make_client();
    if (const auto ok = trust(context.get(), *pem, ca_file); !ok) return ok.error();
    return TlsClientContext(std::move(context));
}

Result<TlsClientContext> TlsClientContext::from_pem(const std::string& ca_certificate) {
    SslContextPtr context = make_client();
    if (const auto ok = trust(context.get(), ca_certificate, "CA"); !ok) return ok.error();
    return TlsClientContext(std::move(context));
}

SslPtr TlsClientContext::make(const std::string& host) const {
    SslPtr ssl(SSL_new(context_.get()));
    SSL_set_connect_state(ssl.get());
    if (is_ip_literal(host)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str());
    } else {
        SSL_set1_host(ssl.get(), host.c_str());
        // The macro behind this has an old-style cast.
        SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 const_cast<char*>(host.c_str()));
    }
    return ssl;
}

Error explain_handshake_failure(SSL* ssl, const std::string& host, const Error& error) {
    const long verdict = SSL_get_verify_result(ssl);
    if (verdict == X509_V_OK) {
        if (error.detail().find("wrong version number") != std::string::npos ||
            error.detail().find("packet length too long") != std::string::npos) {
            return {tls_errc::handshake_failed, host + " does not speak TLS on this port"};
        }
        return {tls_errc::handshake_failed,
                "TLS handshake with " + host + " failed: " + error.message()};
    }
    const auto refused = [](std::string text) {
        return Error(tls_errc::certificate_not_accepted, std::move(text));
    };
    auto* certificate = static_cast<X509*>(SSL_get_ex_data(ssl, rejected_certificate_index()));
    const std::string whose = "the certificate of " + host;
    switch (verdict) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return refused(
                whose + " expired on " +
                (certificate ? time_text(X509_get0_notAfter(certificate)) : "an unknown date") +
                "; renew it at the relay, or check this machine's clock");
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return refused(
                whose + " is not valid before " +
                (certificate ? time_text(X509_get0_notBefore(certificate)) : "an unknown date") +
                "; check this machine's clock");
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return refused(whose + " is for " +
                           (certificate ? names_of(certificate) : "other names") +
                           "; use one of these names for the relay, or a certificate for this one");
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return refused(whose + " is not signed by a trusted CA (" +
                           X509_verify_cert_error_string(verdict) +
                           "); name its CA with --ca FILE or ServiceNamespace:CaFile");
        default:
            return refused(whose + " is not accepted: " + X509_verify_cert_error_string(verdict));
    }
}

bool is_certificate_error(const Error& error) {
    return error.code() == make_error_code(tls_errc::certificate_not_accepted);
}

}  // namespace hpb::net
