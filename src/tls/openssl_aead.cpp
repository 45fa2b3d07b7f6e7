#include "tls/openssl_aead.hpp"

#include <new>

namespace hpb::tls {
namespace {

const EVP_CIPHER* cipher_of(CipherSuite suite) {
    switch (suite) {
        case CipherSuite::aes_128_gcm_sha256:
            return EVP_aes_128_gcm();
        case CipherSuite::aes_256_gcm_sha384:
            return EVP_aes_256_gcm();
        case CipherSuite::chacha20_poly1305_sha256:
            return EVP_chacha20_poly1305();
    }
    return nullptr;
}

unsigned char* raw(std::byte* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}
const unsigned char* raw(const std::byte* bytes) {
    return reinterpret_cast<const unsigned char*>(bytes);
}

}  // namespace

OpensslAead::OpensslAead(CipherSuite suite, ByteSpan key, Direction direction)
    : context_(EVP_CIPHER_CTX_new()) {
    if (!context_) throw std::bad_alloc();
    // A failure, memory being short, shows with the first record.
    usable_ = EVP_CipherInit_ex(context_.get(), cipher_of(suite), nullptr, raw(key.data()), nullptr,
                                direction == Direction::seal ? 1 : 0) == 1;
}

bool OpensslAead::begin(const Nonce& nonce, ByteSpan header) {
    int n = 0;
    return usable_ &&
           EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, raw(nonce.data()), -1) ==
               1 &&
           EVP_CipherUpdate(context_.get(), nullptr, &n, raw(header.data()),
                            static_cast<int>(header.size())) == 1;
}

bool OpensslAead::seal(const Nonce& nonce, ByteSpan header, ByteSpan content, std::byte last,
                       std::byte* out) {
    if (!begin(nonce, header)) return false;
    EVP_CIPHER_CTX* context = context_.get();
    unsigned char* end = raw(out + content.size());
    int n = 0;
    return EVP_CipherUpdate(context, raw(out), &n, raw(content.data()),
                            static_cast<int>(content.size())) == 1 &&
           EVP_CipherUpdate(context, end, &n, raw(&last), 1) == 1 &&
           EVP_CipherFinal_ex(context, end + 1, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagSize, end + 1) == 1;
}

Aead::Opening OpensslAead::open(const Nonce& nonce, ByteSpan header, ByteSpan sealed,
                                std::byte* out, std::byte& last) {
    if (!begin(nonce, header)) return Opening::failed;
    EVP_CIPHER_CTX* context = context_.get();
    const std::size_t content = sealed.size() - 1 - kTagSize;
    int n = 0;
    unsigned char none = 0;
    // OpenSSL does not write to the tag.
    auto* tag = const_cast<std::byte*>(sealed.data() + content + 1);
    const bool done =
        EVP_CipherUpdate(context, raw(out), &n, raw(sealed.data()), static_cast<int>(content)) ==
            1 &&
        EVP_CipherUpdate(context, raw(&last), &n, raw(sealed.data() + content), 1) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagSize, tag) == 1;
    if (!done) return Opening::failed;
    return EVP_CipherFinal_ex(context, &none, &n) == 1 ? Opening::done : Opening::forged;
}

}  // namespace hpb::tls
