#pragma once

#include <openssl/evp.h>

#include <memory>

#include "tls/aead.hpp"

namespace hpb::tls {

/// OpenSSL's cipher for a suite.
class OpensslAead final : public Aead {
public:
    /// @throws std::bad_alloc
    OpensslAead(CipherSuite suite, ByteSpan key, Direction direction);

    [[nodiscard]] bool seal(const Nonce& nonce, ByteSpan header, ByteSpan content, std::byte last,
                            std::byte* out) override;
    [[nodiscard]] Opening open(const Nonce& nonce, ByteSpan header, ByteSpan sealed, std::byte* out,
                               std::byte& last) override;

private:
    struct Free {
        void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    };
    /// Sets the nonce and the additional data.
    [[nodiscard]] bool begin(const Nonce& nonce, ByteSpan header);

    std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
    bool usable_ = false;
};

}  // namespace hpb::tls
