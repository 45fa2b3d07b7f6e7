#include "net/tls/failure.hpp"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <string_view>

#include "base/text.hpp"
#include "net/tls/context.hpp"

namespace hpb::net {
namespace {

/// Of names that a stranger's certificate holds.
constexpr std::size_t kMaxNames = 200;

int rejected_certificate_index() {
    static const int index =
        SSL_get_ex_new_index(0, nullptr, nullptr, nullptr,
                             [](void*, void* certificate, CRYPTO_EX_DATA*, int, long, void*) {
                                 X509_free(static_cast<X509*>(certificate));
                             });
    return index;
}

std::string time_text(const ASN1_TIME* time) {
    std::tm fields{};
    if (ASN1_TIME_to_tm(time, &fields) != 1) return "an unreadable date";
    char text[32];
    const auto size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &fields);
    return {text, size};
}

std::string text_of(const ASN1_STRING* string) {
    const auto* bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(string));
    return printable({bytes, static_cast<std::size_t>(ASN1_STRING_length(string))}, kMaxNames);
}

/// The host names and addresses of a certificate; "" if there are none.
std::string names_of(const X509* certificate) {
    std::string names;
    auto* list = static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; list != nullptr && i < sk_GENERAL_NAME_num(list) && names.size() < kMaxNames;
         ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
        std::string text;
        if (name->type == GEN_DNS) {
            text = text_of(name->d.dNSName);
        } else if (name->type == GEN_IPADD) {
            char shown[INET6_ADDRSTRLEN] = "?";
            const bool v4 = ASN1_STRING_length(name->d.iPAddress) == 4;
            const bool v6 = ASN1_STRING_length(name->d.iPAddress) == 16;
            if (v4 || v6) {
                (void)::inet_ntop(v4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress),
                                  shown, sizeof shown);
            }
            text = std::string("IP ") + shown;
        } else {
            continue;
        }
        names += (names.empty() ? "" : ", ") + text;
    }
    GENERAL_NAMES_free(list);
    return names;
}

/// What a person calls the owner of `name`: the common name, else the organisation.
std::string short_name(const X509_NAME* name) {
    for (const int field : {NID_commonName, NID_organizationalUnitName, NID_organizationName}) {
        const int at = X509_NAME_get_index_by_NID(name, field, -1);
        if (at >= 0) return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    }
    return "an unnamed CA";
}

/// True if the server sent its own certificate only, and that was signed by another one.
bool lacks_issuer(SSL* ssl, const X509* certificate) {
    const STACK_OF(X509)* sent = SSL_get_peer_cert_chain(ssl);
    return certificate != nullptr && sent != nullptr && sk_X509_num(sent) == 1 &&
           X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) !=
               0;
}

/// True if the server's CA publishes the certificate that is missing: CAs of the public do, and
/// sign servers by intermediate ones.
bool names_issuer_address(const X509* certificate) {
    return X509_get_ext_by_NID(certificate, NID_info_access, -1) >= 0;
}

std::string untrusted(SSL* ssl, const X509* certificate, const std::string& whose, long verdict) {
    const std::string name_ca = "name its CA with --ca FILE or ServiceNamespace:CaFile";
    if (!lacks_issuer(ssl, certificate)) {
        return whose + " is not signed by a trusted CA (" + X509_verify_cert_error_string(verdict) +
               "); " + name_ca;
    }
    const std::string issuer = "'" + short_name(X509_get_issuer_name(certificate)) + "'";
    if (names_issuer_address(certificate)) {
        return whose + " is signed by " + issuer +
               ", and the relay does not send its intermediate certificate: append that of " +
               issuer + " to the relay's certificate file (or, if it is a CA of your own, " +
               name_ca + ")";
    }
    return whose + " is not signed by a trusted CA: it is signed by " + issuer +
           ", which is not trusted here. If that is an intermediate CA, the relay does not send "
           "its intermediate certificate: append it to the relay's certificate file; otherwise " +
           name_ca;
}

std::string explain_certificate(SSL* ssl, const std::string& host, long verdict) {
    const auto* certificate =
        static_cast<const X509*>(SSL_get_ex_data(ssl, rejected_certificate_index()));
    const std::string whose = "the certificate of " + host;
    switch (verdict) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return whose + " expired on " +
                   (certificate ? time_text(X509_get0_notAfter(certificate)) : "an unknown date") +
                   "; renew it at the relay, or check this machine's clock";
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return whose + " is not valid before " +
                   (certificate ? time_text(X509_get0_notBefore(certificate)) : "an unknown date") +
                   "; check this machine's clock";
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH: {
            const std::string names = certificate ? names_of(certificate) : "other names";
            if (names.empty()) {
                return whose +
                       " has no subjectAltName with a host name or address, and its common "
                       "name is ignored; use a certificate that has one";
            }
            return whose + " is for " + names +
                   "; use one of these names for the relay, or a certificate for this one";
        }
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return untrusted(ssl, certificate, whose, verdict);
        default:
            return whose + " is not accepted: " + X509_verify_cert_error_string(verdict);
    }
}

/// What OpenSSL calls a failure of a handshake, and what that means to a person.
struct Meaning {
    std::string_view reason;
    std::string_view at_client;  ///< follows the host's name
    std::string_view at_server;  ///< follows "failed: "
};

constexpr std::string_view kNoTls =
    " does not speak TLS on this port; check the host and the port, or write http:// for a relay "
    "without TLS";

constexpr Meaning kMeanings[] = {
    {"http request", "",
     "the peer speaks HTTP without TLS (http:// or ws:// in place of https://)"},
    {"wrong version number", kNoTls, "the peer does not speak TLS"},
    {"packet length too long", kNoTls, "the peer does not speak TLS"},
    {"unsupported protocol", " supports no TLS version that this side accepts (1.2 or later)",
     "the peer supports no TLS version that this side accepts (1.2 or later)"},
    {"alert protocol version", " does not accept TLS 1.2 or later",
     "the peer does not accept TLS 1.2 or later"},
    {"no shared cipher", "",
     "the peer offers no cipher suite that this side accepts (TLS 1.3, or TLS 1.2 with ECDHE and "
     "AES-GCM or ChaCha20)"},
    {"alert handshake failure",
     " accepts no TLS version and cipher suite that this side offers (TLS 1.3, or TLS 1.2 with "
     "ECDHE and AES-GCM or ChaCha20)",
     "the peer does not accept what this side offers"},
    {"unrecognized name",
     " does not know the name that was used for it; use one of the names in its certificate", ""},
    {"alert unknown ca", "", "the peer does not trust the CA of this certificate"},
    {"alert bad certificate", " requires another certificate from this side",
     "the peer does not accept this certificate"},
    {"alert certificate unknown", " requires another certificate from this side",
     "the peer does not accept this certificate"},
    {"alert certificate expired", "", "the peer says that this certificate has expired"},
    {"certificate required",
     " asks for a client certificate, which hpb does not have: use another address", ""},
};

/// In OpenSSL's name of an alert that the peer has sent ("tlsv1 alert internal error").
constexpr std::string_view kAlert = " alert ";

std::string_view meaning_of(const Error& error, std::string_view Meaning::* side) {
    for (const Meaning& meaning : kMeanings) {
        if (error.detail().find(meaning.reason) != std::string::npos) return meaning.*side;
    }
    return "";
}

bool is_end(const Error& error) {
    return error.code() == asio::error::eof || error.code() == asio::error::connection_reset ||
           error.code() == asio::error::broken_pipe;
}

}  // namespace

int keep_rejected_certificate(int accepted, X509_STORE_CTX* verification) {
    if (accepted == 1) return 1;
    auto* ssl = static_cast<SSL*>(
        X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
    X509* certificate = X509_STORE_CTX_get_current_cert(verification);
    if (ssl == nullptr || certificate == nullptr ||
        SSL_get_ex_data(ssl, rejected_certificate_index()) != nullptr ||
        X509_up_ref(certificate) != 1) {
        return 0;
    }
    if (SSL_set_ex_data(ssl, rejected_certificate_index(), certificate) != 1)
        X509_free(certificate);
    return 0;
}

Error explain_handshake_failure(SSL* ssl, const std::string& host, const Error& error) {
    const long verdict = ssl == nullptr ? X509_V_OK : SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK)
        return {tls_errc::certificate_not_accepted, explain_certificate(ssl, host, verdict)};
    if (const auto meaning = meaning_of(error, &Meaning::at_client); !meaning.empty())
        return {tls_errc::handshake_failed, host + std::string(meaning)};
    if (is_end(error)) {
        return {tls_errc::handshake_failed,
                host +
                    " ended the connection during the TLS handshake; check that it speaks TLS on "
                    "this port, and that no firewall or proxy on the way cuts it off"};
    }
    if (const auto alert = error.detail().find(kAlert); alert != std::string::npos) {
        return {tls_errc::handshake_failed, host + " ended the TLS handshake with the alert '" +
                                                error.detail().substr(alert + kAlert.size()) +
                                                "'; its own log may say why"};
    }
    return {tls_errc::handshake_failed,
            "TLS handshake with " + host + " failed: " + error.message()};
}

std::string explain_refused_handshake(const Error& error) {
    if (const auto meaning = meaning_of(error, &Meaning::at_server); !meaning.empty())
        return std::string(meaning);
    if (is_end(error)) return "the peer ended the connection";
    return error.message();
}

bool is_plain_http(const Error& handshake_error) {
    return handshake_error.detail().find("http request") != std::string::npos;
}

}  // namespace hpb::net
