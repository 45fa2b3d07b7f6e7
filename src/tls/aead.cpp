#include "tls/aead.hpp"

#include "tls/openssl_aead.hpp"
#include "tls/vaes_gcm.hpp"

namespace hpb::tls {

std::unique_ptr<Aead> make_aead(CipherSuite suite, ByteSpan key, Aead::Direction direction,
                                CipherBackend backend) {
    if (backend == CipherBackend::native && suite != CipherSuite::chacha20_poly1305_sha256)
        return std::make_unique<VaesGcm>(key);
    return std::make_unique<OpensslAead>(suite, key, direction);
}

}  // namespace hpb::tls
