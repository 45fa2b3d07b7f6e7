#pragma once

#include <memory>
#include <optional>

#include "base/error.hpp"
#include "tls/aead.hpp"
#include "tls/traffic_keys.hpp"

namespace hpb::tls {

/// RFC 8446 section 5.1.
enum class ContentType : std::uint8_t {
    invalid = 0,
    change_cipher_spec = 20,
    alert = 21,
    handshake = 22,
    application_data = 23,
};

inline constexpr std::size_t kRecordHeaderSize = 5;
inline constexpr std::size_t kMaxPlaintext = 16384;
/// What a record adds to its plaintext: header, content type and tag.
inline constexpr std::size_t kRecordOverhead = kRecordHeaderSize + 1 + kTagSize;
/// The largest record body (RFC 8446 section 5.2).
inline constexpr std::size_t kMaxCiphertext = kMaxPlaintext + 256;
/// Records under one key: well below the limit of AES-GCM (RFC 8446 section 5.5: 2^24.5).
inline constexpr std::uint64_t kMaxRecordsPerKey = std::uint64_t{1} << 23;

/// Limit on records in a row without content, including tickets and KeyUpdates: more would only
/// waste processor time.
inline constexpr unsigned kMaxEmptyRecords = 32;
/// Each of the peer's KeyUpdates has to be earned by so many records, but for the first ones: new
/// keys cost more than a byte of content behind each.
inline constexpr std::uint64_t kRecordsPerKeyUpdate = 32;
inline constexpr std::uint64_t kFreeKeyUpdates = 32;

enum class errc {
    bad_record = 1,     ///< an invalid header: not TLS 1.3, or too long
    bad_record_mac,     ///< modified in transit, or out of order
    unexpected_record,  ///< a record type or message that is not allowed here
    flood,              ///< more than kMaxEmptyRecords, or KeyUpdates that were not earned
    cipher_failed,      ///< memory is short
};
[[nodiscard]] boost::system::error_code make_error_code(errc e);

/// The alert that tells the peer about `error` (RFC 8446 section 6.2).
[[nodiscard]] std::uint8_t alert_for(const Error& error);

/// One direction's cipher: key, nonce and the number of the next record.
class RecordCipher {
public:
    RecordCipher(Aead::Direction direction, const TrafficSecret& secret, CipherBackend backend);

    /// Switches to the next key (KeyUpdate).
    void update();
    [[nodiscard]] std::uint64_t records() const { return sequence_; }

protected:
    /// The nonce of the next record (RFC 8446 section 5.3), counted.
    [[nodiscard]] Aead::Nonce next_nonce();
    [[nodiscard]] Aead& aead() { return *aead_; }

private:
    void use_keys();

    Aead::Direction direction_;
    CipherBackend backend_;
    TrafficSecret secret_;
    std::unique_ptr<Aead> aead_;
    Aead::Nonce iv_{};
    std::uint64_t sequence_ = 0;
};

/// Protects records.
class Sealer : public RecordCipher {
public:
    Sealer(const TrafficSecret& secret, CipherBackend backend)
        : RecordCipher(Aead::Direction::seal, secret, backend) {}

    /// @param plaintext  at most kMaxPlaintext bytes.
    /// @param out  has room for kRecordOverhead more than that, and does not overlap.
    /// @return bytes written; 0 if the cipher failed.
    [[nodiscard]] std::size_t seal(ContentType type, ByteSpan plaintext, std::byte* out);
};

/// Opens records.
class Opener : public RecordCipher {
public:
    Opener(const TrafficSecret& secret, CipherBackend backend)
        : RecordCipher(Aead::Direction::open, secret, backend) {}

    /// @return the size of the record at the beginning of `in`, including its header; nullopt if
    /// the header is incomplete.
    [[nodiscard]] static Result<std::optional<std::size_t>> record_size(ByteSpan in);

    struct Opened {
        ContentType type = ContentType::invalid;
        std::size_t size = 0;  ///< of the content
    };
    /// @param record  exactly one.
    /// @param out  has room for record.size() - kRecordOverhead bytes, and does not overlap.
    [[nodiscard]] Result<Opened> open(ByteSpan record, std::byte* out);
};

}  // namespace hpb::tls

template <>
struct boost::system::is_error_code_enum<hpb::tls::errc> : std::true_type {};
