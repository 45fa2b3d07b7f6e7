#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.hpp"
#include "tls/cipher_choice.hpp"
#include "tls/traffic_keys.hpp"

namespace hpb::tls {

inline constexpr std::size_t kTagSize = 16;

/// Authenticated encryption with one key (RFC 5116) of the content of a TLS 1.3 record and one byte
/// after it. An object either seals or opens. Not thread-safe.
class Aead {
public:
    using Nonce = std::array<std::byte, kNonceSize>;
    enum class Direction { seal, open };
    enum class Opening {
        done,
        forged,  ///< authentication failed: the output must not be used
        failed,  ///< memory is short
    };

    Aead() = default;
    Aead(const Aead&) = delete;
    Aead& operator=(const Aead&) = delete;
    virtual ~Aead() = default;

    /// @param nonce  never reused with this key.
    /// @param header  additional authenticated data.
    /// @param out  receives the ciphertext of `content` and `last`, then the tag: room for
    /// content.size() + 1 + kTagSize bytes, which do not overlap `content`.
    /// @return false if memory is short.
    [[nodiscard]] virtual bool seal(const Nonce& nonce, ByteSpan header, ByteSpan content,
                                    std::byte last, std::byte* out) = 0;
    /// @param sealed  ciphertext and tag, 1 + kTagSize bytes at least.
    /// @param out  receives all but the last byte of the text; does not overlap `sealed`.
    [[nodiscard]] virtual Opening open(const Nonce& nonce, ByteSpan header, ByteSpan sealed,
                                       std::byte* out, std::byte& last) = 0;
};

/// VaesGcm where `backend` says native and the suite is AES-GCM's, else OpensslAead.
/// @param key  of the suite's size.
[[nodiscard]] std::unique_ptr<Aead> make_aead(CipherSuite suite, ByteSpan key,
                                              Aead::Direction direction, CipherBackend backend);

}  // namespace hpb::tls
