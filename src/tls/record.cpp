#include "tls/record.hpp"

#include "base/error_category.hpp"

namespace hpb::tls {
namespace {

constexpr std::size_t kSmallestBody = 1 + kTagSize;

}  // namespace

boost::system::error_code make_error_code(errc e) {
    static const ErrorCategory category{
        "tls record", [](int value) -> const char* {
            switch (static_cast<errc>(value)) {
                case errc::bad_record:
                    return "TLS: the peer sent something that is not a TLS 1.3 record";
                case errc::bad_record_mac:
                    return "TLS: a record was modified in transit";
                case errc::unexpected_record:
                    return "TLS: the peer sent a message that is not allowed here";
                case errc::flood:
                    return "TLS: the peer keeps sending empty records or KeyUpdates";
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

RecordCipher::RecordCipher(Aead::Direction direction, const TrafficSecret& secret,
                           CipherBackend backend)
    : direction_(direction), backend_(backend), secret_(secret) {
    use_keys();
}

void RecordCipher::use_keys() {
    const auto keys = secret_.keys();
    iv_ = keys.iv;
    sequence_ = 0;
    aead_ =
        make_aead(secret_.suite(), ByteSpan(keys.key).first(keys.key_size), direction_, backend_);
}

void RecordCipher::update() {
    secret_ = secret_.next();
    use_keys();
}

Aead::Nonce RecordCipher::next_nonce() {
    auto nonce = iv_;
    for (std::size_t i = 0; i < 8; ++i) {
        nonce[kNonceSize - 1 - i] ^= static_cast<std::byte>(sequence_ >> (8 * i));
    }
    ++sequence_;
    return nonce;
}

std::size_t Sealer::seal(ContentType type, ByteSpan plaintext, std::byte* out) {
    out[0] = static_cast<std::byte>(ContentType::application_data);
    store_be(out + 1, std::uint16_t{0x0303});
    store_be(out + 3, static_cast<std::uint16_t>(plaintext.size() + kSmallestBody));
    const bool sealed = aead().seal(next_nonce(), {out, kRecordHeaderSize}, plaintext,
                                    static_cast<std::byte>(type), out + kRecordHeaderSize);
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
    std::byte last{};  // the type, or padding
    switch (aead().open(next_nonce(), record.first(kRecordHeaderSize), body, out, last)) {
        case Aead::Opening::failed:
            return errc::cipher_failed;
        case Aead::Opening::forged:
            return errc::bad_record_mac;
        case Aead::Opening::done:
            break;
    }
    Opened opened{static_cast<ContentType>(last), body.size() - kSmallestBody};
    while (opened.type == ContentType::invalid && opened.size > 0) {
        opened.type = static_cast<ContentType>(out[--opened.size]);
    }
    if (opened.type == ContentType::invalid || opened.size > kMaxPlaintext) {
        return opened.size > kMaxPlaintext ? errc::bad_record : errc::unexpected_record;
    }
    return opened;
}

}  // namespace hpb::tls
