#pragma once

namespace hpb::config {

class SettingReader;

/// Section Tls, of all roles: which of our own parts of TLS may be used (docs/security.md).
struct TlsOptions {
    bool openssl_records = false;  ///< Records: openssl
    bool openssl_cipher = false;   ///< Cipher: openssl
};

[[nodiscard]] TlsOptions read_tls_options(SettingReader& reader);

}  // namespace hpb::config
