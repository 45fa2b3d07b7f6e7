#include "tls/record.hpp"

#include <algorithm>
#include <new>

#include "base/error_category.hpp"

namespace hpb::tls {
namespace {

constexpr int kTagSize = 16;
constexpr std::size_t kSmallestBody = 1 + kTagSize;

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

boost::system::error_code make_error_code(errc e) {
    static const ErrorCategory category{
        "tls record", [](int value) -> const char* {
            switch (static_cast<errc>(value)) {
                case errc::bad_record:
                    return "TLS: the peer sent what is no TLS 1.3 record";
                case errc::bad_record_mac:
                    return "TLS: a record was changed on its way";
                case errc::unexpected_record:
                    return "TLS: the peer sent a message that may not come here";
                case errc::flood:
                    return "TLS: the peer sends records with nothing in them";
                case errc::cipher_failed:
                    return "TLS: the cipher failed";
            }
            return "unknown TLS record error";
        }};
    return {static_cast<int>(e), category};
}

std::uint8_t alert_for(const Error& error) {
    if (error.code() == make_error_code(errc::bad_record_mac)) return 20;
    if (error.code() == make_error_code(errc::bad_record)) return 22;  // record_overflow
    if (error.code() == make_error_code(errc::unexpected_record)) return 10;
    if (error.code() == make_error_code(errc::flood)) return 10;
    return 80;  // internal_error
}

RecordCipher::RecordCipher(Direction direction, const TrafficSecret& secret)
    : direction_(direction), secret_(secret), context_(EVP_CIPHER_CTX_new()) {
    if (!context_) throw std::bad_alloc();
    use_keys();
}

void RecordCipher::use_keys() {
    const auto keys = secret_.keys();
    iv_ = keys.iv;
    sequence_ = 0;
    const int seals = direction_ == Direction::seal ? 1 : 0;
    // A failure, memory being short, shows with the first record.
    (void)EVP_CipherInit_ex(context_.get(), cipher_of(secret_.suite()), nullptr,
                            raw(keys.key.data()), nullptr, seals);
}

void RecordCipher::update() {
    secret_ = secret_.next();
    use_keys();
}

// RFC 8446 section 5.3.
bool RecordCipher::begin(ByteSpan header) {
    auto nonce = iv_;
    for (std::size_t i = 0; i < 8; ++i) {
        nonce[kNonceSize - 1 - i] ^= static_cast<std::byte>(sequence_ >> (8 * i));
    }
    ++sequence_;
    int n = 0;
    return EVP_CipherInit_ex(context(), nullptr, nullptr, nullptr, raw(nonce.data()), -1) == 1 &&
           EVP_CipherUpdate(context(), nullptr, &n, raw(header.data()),
                            static_cast<int>(header.size())) == 1;
}

std::size_t Sealer::seal(ContentType type, ByteSpan plaintext, std::byte* out) {
    out[0] = static_cast<std::byte>(ContentType::application_data);
    store_be(out + 1, std::uint16_t{0x0303});
    store_be(out + 3, static_cast<std::uint16_t>(plaintext.size() + kSmallestBody));
    if (!begin({out, kRecordHeaderSize})) return 0;
    const auto last = static_cast<unsigned char>(type);
    unsigned char* body = raw(out + kRecordHeaderSize);
    int data = 0;
    int end = 0;
    int none = 0;
    const bool sealed =
        EVP_CipherUpdate(context(), body, &data, raw(plaintext.data()),
                         static_cast<int>(plaintext.size())) == 1 &&
        EVP_CipherUpdate(context(), body + data, &end, &last, 1) == 1 &&
        EVP_CipherFinal_ex(context(), body + data + end, &none) == 1 &&
        EVP_CIPHER_CTX_ctrl(context(), EVP_CTRL_AEAD_GET_TAG, kTagSize, body + data + end) == 1;
    return sealed ? plaintext.size() + kRecordOverhead : 0;
}

Result<std::optional<std::size_t>> Opener::record_size(ByteSpan in) {
    if (in.size() < kRecordHeaderSize) return std::optional<std::size_t>();
    const auto body = load_be<std::uint16_t>(in.data() + 3);
    const auto type = static_cast<ContentType>(in[0]);
    if (type == ContentType::change_cipher_spec || type == ContentType::handshake) {
        return errc::unexpected_record;
    }
    if (type != ContentType::application_data || in[1] != std::byte{3} || body > kMaxCiphertext ||
        body < kSmallestBody) {
        return errc::bad_record;
    }
    return std::optional<std::size_t>(kRecordHeaderSize + body);
}

Result<Opener::Opened> Opener::open(ByteSpan record, std::byte* out) {
    const ByteSpan body = record.subspan(kRecordHeaderSize);
    const std::size_t content = body.size() - kSmallestBody;  // with what padding there is
    const std::byte* tag = body.data() + content + 1;
    if (!begin(record.first(kRecordHeaderSize))) return errc::cipher_failed;
    unsigned char last = 0;
    int n = 0;
    int none = 0;
    // The last byte has no room in `out`: it is the type, or padding.
    const bool done = EVP_CipherUpdate(context(), raw(out), &n, raw(body.data()),
                                       static_cast<int>(content)) == 1 &&
                      EVP_CipherUpdate(context(), &last, &n, raw(body.data() + content), 1) == 1 &&
                      EVP_CIPHER_CTX_ctrl(context(), EVP_CTRL_AEAD_SET_TAG, kTagSize,
                                          const_cast<std::byte*>(tag)) == 1;
    if (!done) return errc::cipher_failed;
    if (EVP_CipherFinal_ex(context(), &last, &none) != 1) return errc::bad_record_mac;
    Opened opened{static_cast<ContentType>(last), content};
    while (opened.type == ContentType::invalid && opened.size > 0) {
        opened.type = static_cast<ContentType>(out[--opened.size]);
    }
    if (opened.type == ContentType::invalid || opened.size > kMaxPlaintext) {
        return opened.size > kMaxPlaintext ? errc::bad_record : errc::unexpected_record;
    }
    return opened;
}

}  // namespace hpb::tls
