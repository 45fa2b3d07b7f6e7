#include "tls/cipher_choice.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#if HPB_NATIVE_TLS
#include "tls/self_test.hpp"
#include "tls/vaes_gcm.hpp"
#endif

namespace hpb::tls {

bool is_fips_required() {
    if (EVP_default_properties_is_fips_enabled(nullptr) == 1) return true;
    struct Free {
        void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
    };
    const std::unique_ptr<EVP_CIPHER, Free> cipher(
        EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr));
    if (!cipher) return false;
    const std::string_view provider =
        OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher.get()));
    return provider == "fips";
}

#if HPB_NATIVE_TLS

namespace {

/// From 3.1 on, OpenSSL takes four blocks an instruction where the processor can do that.
bool is_openssl_wider() {
#if defined(__x86_64__)
    constexpr unsigned long kFirst = 0x30100000;
    return OpenSSL_version_num() >= kFirst && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq");
#else
    return true;
#endif
}

}  // namespace

bool is_vaes_masked(const char* value) {
    // "first:second", each a number in C's notation or a mask of bits to clear after "~"
    // (OPENSSL_ia32cap(3)); VAES and VPCLMULQDQ are bits 9 and 10 of the second's upper half.
    constexpr unsigned long long kNeeded = 3ULL << (32 + 9);
    const std::string_view text = value == nullptr ? "" : value;
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return false;
    std::string second(text.substr(colon + 1));
    const bool clears = second.starts_with('~');
    if (clears) second.erase(0, 1);
    const unsigned long long bits = std::strtoull(second.c_str(), nullptr, 0);
    return clears ? (bits & kNeeded) != 0 : (bits & kNeeded) != kNeeded;
}

CipherChoice choose_cipher() {
    using enum CipherBackend;
    if (!VaesGcm::available()) return {openssl, "the processor has no VAES"};
    if (is_vaes_masked(std::getenv("OPENSSL_ia32cap")))
        return {openssl, "OPENSSL_ia32cap takes VAES away"};
    if (is_fips_required()) return {openssl, "FIPS"};
    if (is_openssl_wider()) return {openssl, "OpenSSL's is faster on this processor"};
    if (!native_cipher_passes_self_test()) return {openssl, "the self-test failed", true};
    return {native, ""};
}

bool native_cipher_passes_self_test() {
    // For tests of what happens then: it can only make the program more cautious.
    if (std::getenv("HPB_FAIL_SELF_TEST") != nullptr) return false;
    return passes_known_answers([](ByteSpan key) { return std::make_unique<VaesGcm>(key); });
}

#else

bool is_vaes_masked(const char*) {
    return false;
}

CipherChoice choose_cipher() {
    return {CipherBackend::openssl, "this build has no other"};
}

bool native_cipher_passes_self_test() {
    return false;
}

#endif

}  // namespace hpb::tls
