// tls: the record layer of TLS 1.3 (RFC 8446 section 5), for connections whose handshake OpenSSL
// performed. It exists because a record costs OpenSSL's SSL object two copies, a system call and
// 34 KiB of buffers (docs/performance.md): here records go from the caller's buffer to the wire's
// and back in one pass, as with kernel TLS. The hashes are OpenSSL's, and so are the ciphers,
// except AES-GCM on processors where ours is faster (docs/adr/0002-aes-gcm.md), the handshake,
// certificates and everything else. Sans-IO; one object per direction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"

namespace hpb::tls {

/// RFC 8446 appendix B.4: those that we support.
enum class CipherSuite : std::uint16_t {
    aes_128_gcm_sha256 = 0x1301,
    aes_256_gcm_sha384 = 0x1302,
    chacha20_poly1305_sha256 = 0x1303,
};
[[nodiscard]] std::optional<CipherSuite> known_suite(std::uint16_t id);

inline constexpr std::size_t kNonceSize = 12;

/// An application traffic secret of one direction (RFC 8446 section 7.1). Wiped on destruction.
class TrafficSecret {
public:
    TrafficSecret() = default;
    /// @return nullopt unless `secret` has the size of the suite's hash.
    [[nodiscard]] static std::optional<TrafficSecret> create(CipherSuite suite, ByteSpan secret);
    TrafficSecret(const TrafficSecret&) = default;
    TrafficSecret& operator=(const TrafficSecret&) = default;
    ~TrafficSecret();

    struct Keys {
        std::array<std::byte, 32> key{};
        std::size_t key_size = 0;
        std::array<std::byte, kNonceSize> iv{};

        Keys() = default;
        Keys(const Keys&) = default;
        Keys& operator=(const Keys&) = default;
        ~Keys();
    };
    /// RFC 8446 section 7.3.
    [[nodiscard]] Keys keys() const;
    /// The secret after a KeyUpdate (RFC 8446 section 7.2).
    [[nodiscard]] TrafficSecret next() const;

    [[nodiscard]] CipherSuite suite() const { return suite_; }
    [[nodiscard]] ByteSpan bytes() const { return {bytes_.data(), size_}; }

private:
    void expand_label(std::string_view label, MutableByteSpan out) const;

    CipherSuite suite_ = CipherSuite::aes_128_gcm_sha256;
    std::array<std::byte, 48> bytes_{};
    std::size_t size_ = 0;
};

}  // namespace hpb::tls
