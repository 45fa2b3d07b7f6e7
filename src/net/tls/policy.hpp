#pragma once

#include <string>

#include "net/tls/openssl_transport.hpp"
#include "tls/cipher_choice.hpp"

namespace hpb::net {

/// Whose code protects the bytes of a TLS 1.3 connection behind its handshake, which is OpenSSL's
/// in any case; and everything of TLS 1.2 is (docs/security.md).
struct TlsPolicy {
    enum class Records { openssl, native };

    Records records = Records::openssl;
    tls::CipherBackend cipher = tls::CipherBackend::openssl;  ///< of native records
};

/// What an operator asks for: the keys Tls:Records and Tls:Cipher.
struct TlsWishes {
    bool openssl_records = false;
    bool openssl_cipher = false;
};

/// A policy, and the words that an operator reads of it.
struct TlsDecision {
    TlsPolicy policy;
    std::string summary;  ///< one line: library, records, cipher, FIPS
    std::string warning;  ///< "", or why something is not used that should have been
};

/// The policy that fulfils the wishes on this machine: under FIPS everything is OpenSSL's, and our
/// cipher is used where the processor has what it needs and its self-test passes.
[[nodiscard]] TlsDecision decide_tls(const TlsWishes& wishes);

/// What carries a connection behind its handshake. A policy of native records leaves TLS 1.2, and
/// cipher suites that they do not know, to OpenSSL.
[[nodiscard]] TransportPtr make_transport(SslPtr ssl, TlsPolicy policy);

/// Says it in the log: once for each process, when everything else that can fail at the start has
/// not.
void log_tls(const TlsDecision& decision, const char* component);

}  // namespace hpb::net
