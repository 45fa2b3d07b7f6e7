#include "tls/traffic_keys.hpp"

#include <openssl/crypto.h>

#include <algorithm>

#include "crypto/crypto.hpp"

namespace hpb::tls {
namespace {

constexpr std::size_t kMaxHash = 48;
constexpr std::string_view kLabelPrefix = "tls13 ";

crypto::Hash hash_of(CipherSuite suite) {
    return suite == CipherSuite::aes_256_gcm_sha384 ? crypto::Hash::sha384 : crypto::Hash::sha256;
}

}  // namespace

std::optional<CipherSuite> known_suite(std::uint16_t id) {
    if (id < 0x1301 || id > 0x1303) return std::nullopt;
    return static_cast<CipherSuite>(id);
}

std::optional<TrafficSecret> TrafficSecret::create(CipherSuite suite, ByteSpan secret) {
    if (secret.size() != crypto::size_of(hash_of(suite))) return std::nullopt;
    TrafficSecret made;
    made.suite_ = suite;
    made.size_ = secret.size();
    std::copy(secret.begin(), secret.end(), made.bytes_.begin());
    return made;
}

TrafficSecret::~TrafficSecret() {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

TrafficSecret::Keys::~Keys() {
    OPENSSL_cleanse(key.data(), key.size());
    OPENSSL_cleanse(iv.data(), iv.size());
}

TrafficSecret::Keys TrafficSecret::keys() const {
    Keys made;
    made.key_size = suite_ == CipherSuite::aes_128_gcm_sha256 ? 16 : 32;
    expand_label("key", MutableByteSpan(made.key).first(made.key_size));
    expand_label("iv", made.iv);
    return made;
}

TrafficSecret TrafficSecret::next() const {
    TrafficSecret made = *this;
    expand_label("traffic upd", MutableByteSpan(made.bytes_).first(size_));
    return made;
}

// HKDF-Expand-Label with an empty context. Nothing that is asked for is longer than the hash, so
// one block of HKDF-Expand (RFC 5869 section 2.3) is all of it.
void TrafficSecret::expand_label(std::string_view label, MutableByteSpan out) const {
    std::array<std::byte, 64> info{};
    std::size_t size = 0;
    const auto put = [&](std::size_t value) { info[size++] = static_cast<std::byte>(value); };
    put(out.size() >> 8);
    put(out.size() & 0xff);
    put(kLabelPrefix.size() + label.size());
    for (const std::string_view part : {kLabelPrefix, label}) {
        for (const char c : part) put(static_cast<unsigned char>(c));
    }
    put(0);  // no context
    put(1);  // the first block
    std::array<std::byte, kMaxHash> block{};
    crypto::hmac(hash_of(suite_), as_text(bytes()), as_text(ByteSpan(info).first(size)),
                 MutableByteSpan(block).first(size_));
    std::copy_n(block.begin(), out.size(), out.begin());
    OPENSSL_cleanse(block.data(), block.size());
}

}  // namespace hpb::tls
