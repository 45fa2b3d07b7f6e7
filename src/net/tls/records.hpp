#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "net/transport.hpp"
#include "tls/post_handshake.hpp"
#include "tls/record.hpp"

namespace hpb::net {

/// A TLS 1.3 connection behind its handshake: seals and opens records between the caller's buffers
/// and the socket, as many at a time as there are.
///
/// Ciphertext passes through buffers of the thread; a connection holds only what is not a whole
/// record yet, or what its socket has not taken. One that waits holds neither. Not thread-safe.
class TlsRecords final : public Transport {
public:
    /// Plaintext that is sealed before the socket gets it.
    static constexpr std::size_t kBatch = 128 * 1024;

    /// To be called for each SSL_CTX whose connections are to be taken over.
    static void prepare(SSL_CTX* context);
    /// Takes a connection over from OpenSSL, right after its handshake; read-ahead must be off.
    /// @return null if it can't be: TLS 1.2, or another cipher.
    [[nodiscard]] static std::unique_ptr<TlsRecords> take_over(SSL* ssl,
                                                               tls::CipherBackend backend);

    /// @param records_per_key  sealed under one key before a KeyUpdate.
    TlsRecords(const tls::TrafficSecret& inbound, const tls::TrafficSecret& outbound,
               tls::CipherBackend backend, std::uint64_t records_per_key = tls::kMaxRecordsPerKey);

    /// Both kinds of end, close_notify and FIN, are 0. An error is final for both directions:
    /// nothing is given out or sent from then on.
    [[nodiscard]] Result<std::size_t> try_read(int descriptor, MutableByteSpan into) override;
    /// Seals and sends. @return bytes taken, 0 while older ones still wait for the socket.
    [[nodiscard]] Result<std::size_t> try_write(int descriptor, ByteSpan data) override;
    [[nodiscard]] bool has_unsent() const override { return !unsent_.empty(); }
    void send_end(int descriptor) override;
    [[nodiscard]] bool secure() const override { return true; }

    /// @return would_block if the socket has not taken everything yet.
    [[nodiscard]] Result<void> flush(int descriptor);

private:
    [[nodiscard]] Result<std::size_t> read_records(int descriptor, MutableByteSpan into);
    [[nodiscard]] Result<std::size_t> write_records(int descriptor, ByteSpan data);
    [[nodiscard]] Result<void> flush_records(int descriptor);
    /// Keeps `error` as what every later call returns, and wipes what was opened.
    const Error& fail(const Error& error);
    [[nodiscard]] Result<std::size_t> open_all(ByteSpan in, MutableByteSpan into);
    [[nodiscard]] Result<std::size_t> open_one(ByteSpan record, MutableByteSpan into);
    [[nodiscard]] Result<void> on_message(const tls::Opener::Opened& opened, ByteSpan content);
    [[nodiscard]] std::size_t take_content(MutableByteSpan into);
    [[nodiscard]] bool append(tls::ContentType type, ByteSpan content, std::vector<std::byte>& out);
    [[nodiscard]] bool queue(tls::ContentType type, ByteSpan content);
    void send_alert(int descriptor, std::uint8_t level, std::uint8_t description);
    [[nodiscard]] Result<void> send(int descriptor, ByteSpan records);

    tls::Opener opener_;
    tls::Sealer sealer_;
    std::uint64_t records_per_key_;
    tls::PostHandshake messages_;
    std::vector<std::byte> partial_;  // the beginning of a record
    std::vector<std::byte> content_;  // opened, for which the caller had no room
    std::vector<std::byte> unsent_;   // records for which the socket had none
    std::size_t unsent_begin_ = 0;
    unsigned empty_records_ = 0;  // in a row
    std::uint64_t update_credit_ = tls::kFreeKeyUpdates * tls::kRecordsPerKeyUpdate;
    bool drained_ = false;  // the last read has emptied the socket
    bool closed_ = false;   // close_notify has come
    std::unique_ptr<Error> failure_;
};

}  // namespace hpb::net
