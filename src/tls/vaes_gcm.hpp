#pragma once

#include "tls/aead.hpp"

namespace hpb::tls {

/// AES-GCM (NIST SP 800-38D) with the 256-bit AES and carry-less multiplication instructions of
/// x86-64 (VAES, VPCLMULQDQ), two blocks per instruction; OpenSSL 3.0 processes one. Constant time
/// for all texts and keys of a size: no table look-up and no branch depends on them. Wiped on
/// destruction.
class VaesGcm final : public Aead {
public:
    /// Whether this processor and its operating system support the instructions.
    [[nodiscard]] static bool available();

    /// @param key  16 or 32 bytes. Call only if available().
    explicit VaesGcm(ByteSpan key);
    ~VaesGcm() override;

    [[nodiscard]] bool seal(const Nonce& nonce, ByteSpan header, ByteSpan content, std::byte last,
                            std::byte* out) override;
    [[nodiscard]] Opening open(const Nonce& nonce, ByteSpan header, ByteSpan sealed, std::byte* out,
                               std::byte& last) override;

    static constexpr std::size_t kBlock = 16;
    /// Blocks whose products are summed before they are reduced.
    static constexpr std::size_t kStride = 16;

    /// Values derived once from the key.
    struct alignas(32) Schedule {
        std::array<std::byte, 15 * kBlock> round_keys;
        /// H^16 to H, of the hash's key H, times x (see vaes_gcm.cpp).
        std::array<std::byte, kStride * kBlock> powers;
        /// The sum of each one's halves, for Karatsuba's multiplication.
        std::array<std::byte, kStride * kBlock> folded;
    };

private:
    [[maybe_unused]] Schedule schedule_;
    [[maybe_unused]] bool long_key_;
};

}  // namespace hpb::tls
