#include "tls/aead.hpp"

#include <openssl/evp.h>

#include "tls/openssl_aead.hpp"
#include "tls/vaes_gcm.hpp"

namespace hpb::tls {
namespace {

bool may_use_vaes() {
    static const bool may =
        VaesGcm::available() && EVP_default_properties_is_fips_enabled(nullptr) == 0;
    return may;
}

}  // namespace

std::unique_ptr<Aead> make_aead(CipherSuite suite, ByteSpan key, Aead::Direction direction) {
    if (suite != CipherSuite::chacha20_poly1305_sha256 && may_use_vaes()) {
        return std::make_unique<VaesGcm>(key);
    }
    return std::make_unique<OpensslAead>(suite, key, direction);
}

}  // namespace hpb::tls
