#include "tls/aead.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "tls/openssl_aead.hpp"
#include "tls/vaes_gcm.hpp"

namespace hpb::tls {
namespace {

// From 3.1 on, OpenSSL takes four blocks an instruction where the processor can do that.
bool openssl_is_wider() {
#if defined(__x86_64__)
    constexpr unsigned long kFirst = 0x30100000;
    return OpenSSL_version_num() >= kFirst && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq");
#else
    return true;
#endif
}

bool is_vaes_best() {
    static const bool best = VaesGcm::available() && !openssl_is_wider() &&
                             EVP_default_properties_is_fips_enabled(nullptr) == 0;
    return best;
}

}  // namespace

std::unique_ptr<Aead> make_aead(CipherSuite suite, ByteSpan key, Aead::Direction direction) {
    if (suite != CipherSuite::chacha20_poly1305_sha256 && is_vaes_best()) {
        return std::make_unique<VaesGcm>(key);
    }
    return std::make_unique<OpensslAead>(suite, key, direction);
}

}  // namespace hpb::tls
