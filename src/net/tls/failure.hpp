#pragma once

#include <openssl/ssl.h>

#include <string>

#include "base/error.hpp"

namespace hpb::net {

/// Why the client side of a handshake failed, in words: each kind of certificate trouble says what
/// to do.
/// @param ssl  may be null.
/// @param host  whom it was with, for people.
/// @param error  what handshake() returned.
[[nodiscard]] Error explain_handshake_failure(SSL* ssl, const std::string& host,
                                              const Error& error);

/// The same for the server side, in a few words that follow "failed: ".
[[nodiscard]] std::string explain_refused_handshake(const Error& error);

/// True if the client side has sent HTTP where the server expects TLS.
[[nodiscard]] bool is_plain_http(const Error& handshake_error);

/// The verify callback of client contexts: OpenSSL forgets a certificate that it does not accept,
/// and explain_handshake_failure() needs it.
int keep_rejected_certificate(int accepted, X509_STORE_CTX* verification);

}  // namespace hpb::net
