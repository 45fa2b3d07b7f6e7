#pragma once

#include <string_view>

namespace hpb::tls {

/// Whose AES-GCM our own records use. ChaCha20-Poly1305 is OpenSSL's in any case.
enum class CipherBackend {
    openssl,
    native  ///< VaesGcm
};

/// A backend, and why it is not the other one.
struct CipherChoice {
    CipherBackend backend = CipherBackend::openssl;
    std::string_view reason;  ///< "" for native
    bool failed = false;      ///< the self-test of the native one has failed
};

/// The fastest that this machine has and that passes its self-test. Runs the test each time.
[[nodiscard]] CipherChoice choose_cipher();

/// Known-answer test of the native cipher (both key sizes, texts shorter and longer than what it
/// does at once, a forged tag). To be called where the processor has the instructions only.
[[nodiscard]] bool native_cipher_passes_self_test();

/// True if OPENSSL_ia32cap, the variable by which OpenSSL is told not to use instructions that the
/// processor has, takes VAES or VPCLMULQDQ away. @param value  of the variable; may be null.
[[nodiscard]] bool is_vaes_masked(const char* value);

/// True if OpenSSL's defaults, or its only provider of AES-GCM, are those of a FIPS module.
[[nodiscard]] bool is_fips_required();

}  // namespace hpb::tls
