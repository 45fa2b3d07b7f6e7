#include "net/tls/records.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/system_error.hpp"
#include "ops/limits.hpp"

namespace hpb::net {
namespace {

namespace asio = boost::asio;
using tls::ContentType;

// RFC 8446 section 6.
constexpr std::uint8_t kWarning = 1;
constexpr std::uint8_t kFatal = 2;
constexpr std::uint8_t kCloseNotify = 0;
/// KeyUpdates and the like that wait for a socket: a peer that asks for more does not read.
constexpr std::size_t kMaxQueued = 1024;
constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;  // of send()

/// Ciphertext of the call that is under way.
std::vector<std::byte>& inbound_buffer() {
    thread_local std::vector<std::byte> bytes;
    return bytes;
}
std::vector<std::byte>& outbound_buffer() {
    thread_local std::vector<std::byte> bytes;
    return bytes;
}

// ---- what OpenSSL tells of the secrets

struct Secrets {
    std::vector<std::byte> client;
    std::vector<std::byte> server;
    ~Secrets() {
        OPENSSL_cleanse(client.data(), client.size());
        OPENSSL_cleanse(server.data(), server.size());
    }
};

int secrets_index() {
    static const int index = SSL_get_ex_new_index(
        0, nullptr, nullptr, nullptr, [](void*, void* secrets, CRYPTO_EX_DATA*, int, long, void*) {
            delete static_cast<Secrets*>(secrets);
        });
    return index;
}

/// No copy of the text is made.
std::vector<std::byte> from_hex(const char* text) {
    std::vector<std::byte> bytes(std::strlen(text) / 2);
    std::size_t size = 0;
    const int done = OPENSSL_hexstr2buf_ex(reinterpret_cast<unsigned char*>(bytes.data()),
                                           bytes.size(), &size, text, '\0');
    bytes.resize(done == 1 ? size : 0);
    return bytes;
}

// A line of the key log format: LABEL, the client's random and the secret.
void keep_secret(const SSL* ssl, const char* text) {
    const std::string_view line = text;
    const bool client = line.starts_with("CLIENT_TRAFFIC_SECRET_0 ");
    if (!client && !line.starts_with("SERVER_TRAFFIC_SECRET_0 ")) return;
    auto* secrets = static_cast<Secrets*>(SSL_get_ex_data(ssl, secrets_index()));
    if (secrets == nullptr) {
        auto made = std::make_unique<Secrets>();
        // Without them OpenSSL keeps the connection.
        if (SSL_set_ex_data(const_cast<SSL*>(ssl), secrets_index(), made.get()) != 1) return;
        secrets = made.release();
    }
    (client ? secrets->client : secrets->server) = from_hex(text + line.rfind(' ') + 1);
}

}  // namespace

void TlsRecords::prepare(SSL_CTX* context) {
    (void)secrets_index();
    SSL_CTX_set_keylog_callback(context, keep_secret);
}

std::unique_ptr<TlsRecords> TlsRecords::take_over(SSL* ssl, tls::CipherBackend backend) {
    const auto* secrets = static_cast<const Secrets*>(SSL_get_ex_data(ssl, secrets_index()));
    if (SSL_version(ssl) != TLS1_3_VERSION || secrets == nullptr || SSL_pending(ssl) != 0)
        return nullptr;
    const auto suite = tls::known_suite(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl)));
    if (!suite) return nullptr;
    auto client = tls::TrafficSecret::create(*suite, secrets->client);
    auto server = tls::TrafficSecret::create(*suite, secrets->server);
    if (!client || !server) return nullptr;
    if (SSL_is_server(ssl) == 1) std::swap(client, server);
    return std::make_unique<TlsRecords>(*server, *client, backend);
}

TlsRecords::TlsRecords(const tls::TrafficSecret& inbound, const tls::TrafficSecret& outbound,
                       tls::CipherBackend backend, std::uint64_t records_per_key)
    : opener_(inbound, backend), sealer_(outbound, backend), records_per_key_(records_per_key) {}

const Error& TlsRecords::fail(const Error& error) {
    // What was opened before it may not be authentic, or not whole.
    OPENSSL_cleanse(content_.data(), content_.size());
    content_ = {};
    partial_ = {};
    unsent_ = {};
    unsent_begin_ = 0;
    failure_ = std::make_unique<Error>(error);
    return *failure_;
}

// ---- reading

Result<std::size_t> TlsRecords::try_read(int descriptor, MutableByteSpan into) {
    if (failure_) return *failure_;
    auto read = read_records(descriptor, into);
    if (read || read.error().code() == asio::error::would_block) return read;
    OPENSSL_cleanse(into.data(), into.size());
    return fail(read.error());
}

Result<std::size_t> TlsRecords::read_records(int descriptor, MutableByteSpan into) {
    if (const std::size_t ready = take_content(into); ready > 0) return ready;
    for (;;) {
        if (closed_) return std::size_t{0};
        // The last recv() emptied the socket; epoll reports what has come since.
        if (std::exchange(drained_, false)) {
            if (partial_.empty()) partial_ = {};  // frees the capacity: this connection waits now
            return kWouldBlock;
        }
        // What `into` holds as full records, and at least one of those.
        const std::size_t records = std::max<std::size_t>(1, into.size() / tls::kMaxPlaintext);
        const std::size_t wanted = std::max(into.size() + records * tls::kRecordOverhead,
                                            tls::kMaxCiphertext + tls::kRecordHeaderSize);
        auto& buffer = inbound_buffer();
        if (buffer.size() < wanted) buffer.resize(wanted);
        std::copy(partial_.begin(), partial_.end(), buffer.begin());
        const std::size_t have = partial_.size();
        const auto n = ::recv(descriptor, buffer.data() + have, wanted - have, MSG_DONTWAIT);
        if (n < 0) {
            if (!would_block()) return system_error_now();
            if (partial_.empty()) partial_ = {};  // frees the capacity: this connection waits now
            return kWouldBlock;
        }
        if (n == 0) return std::size_t{0};
        const std::size_t size = have + static_cast<std::size_t>(n);
        drained_ = size < wanted;
        const auto opened = open_all({buffer.data(), size}, into);
        if (!opened) {
            if (opened.error().code() == make_error_code(tls::errc::flood))
                ops::reached(ops::Limit::flooded_connections);
            // Not in answer to the peer's own alert.
            if (opened.error().code() != asio::error::connection_aborted) {
                send_alert(descriptor, kFatal, tls::alert_for(opened.error()));
            }
            return opened;
        }
        if (has_unsent())
            (void)flush_records(descriptor);  // an answer to KeyUpdate; else with the next
        if (*opened > 0) return opened;
    }
}

// Opens what are whole records; keeps the rest. @return bytes of content in `into`.
Result<std::size_t> TlsRecords::open_all(ByteSpan in, MutableByteSpan into) {
    std::size_t total = 0;
    while (!closed_) {
        const auto size = tls::Opener::record_size(in);
        if (!size) return size.error();
        if (!*size || in.size() < **size) break;
        const auto opened = open_one(in.first(**size), into.subspan(total));
        if (!opened) return opened;
        total += *opened;
        in = in.subspan(**size);
    }
    partial_.assign(in.begin(), in.end());
    return total;
}

Result<std::size_t> TlsRecords::open_one(ByteSpan record, MutableByteSpan into) {
    const std::size_t most = record.size() - tls::kRecordOverhead;
    if (++empty_records_ > tls::kMaxEmptyRecords) return tls::errc::flood;
    if (most <= into.size() && content_.empty()) {
        const auto opened = opener_.open(record, into.data());
        if (!opened) return opened.error();
        if (opened->type == ContentType::application_data) {
            if (opened->size > 0) empty_records_ = 0;
            return opened->size;
        }
        const auto done = on_message(*opened, into.first(opened->size));
        if (!done) return done.error();
        return std::size_t{0};
    }
    // Small records, and many of them: the rest is for the next call.
    const std::size_t before = content_.size();
    content_.resize(before + most);
    const auto opened = opener_.open(record, content_.data() + before);
    if (!opened) return opened.error();
    if (opened->type == ContentType::application_data) {
        content_.resize(before + opened->size);
        if (opened->size > 0) empty_records_ = 0;
        return take_content(into);
    }
    const auto done = on_message(*opened, ByteSpan(content_).subspan(before, opened->size));
    content_.resize(before);
    if (!done) return done.error();
    return std::size_t{0};
}

std::size_t TlsRecords::take_content(MutableByteSpan into) {
    const std::size_t n = std::min(content_.size(), into.size());
    if (n == 0) return 0;
    const auto end = content_.begin() + static_cast<std::ptrdiff_t>(n);
    std::copy(content_.begin(), end, into.begin());
    content_.erase(content_.begin(), end);
    if (content_.empty()) content_ = {};
    return n;
}

Result<void> TlsRecords::on_message(const tls::Opener::Opened& opened, ByteSpan content) {
    if (opened.type == ContentType::alert) {
        if (content.size() != 2) return tls::errc::unexpected_record;
        if (content[1] != std::byte{kCloseNotify}) {
            return Error(asio::error::connection_aborted,
                         std::string("TLS: the peer sent the alert ") +
                             SSL_alert_desc_string_long(std::to_integer<int>(content[1])));
        }
        closed_ = true;
        return {};
    }
    if (opened.type != ContentType::handshake) return tls::errc::unexpected_record;
    while (!content.empty()) {
        const auto found = messages_.next(content);
        if (!found) return found.error();
        if (*found == tls::PostHandshake::Found::nothing) break;
        update_credit_ += opener_.records();
        if (update_credit_ < tls::kRecordsPerKeyUpdate) return tls::errc::flood;
        update_credit_ = std::min(update_credit_ - tls::kRecordsPerKeyUpdate,
                                  tls::kFreeKeyUpdates * tls::kRecordsPerKeyUpdate);
        opener_.update();
        if (*found != tls::PostHandshake::Found::key_update_requested) continue;
        if (unsent_.size() - unsent_begin_ > kMaxQueued + kBatch) return tls::errc::flood;
        if (!queue(ContentType::handshake, tls::kKeyUpdate)) return tls::errc::cipher_failed;
        sealer_.update();
    }
    return {};
}

// ---- writing

// @return false if the cipher failed.
bool TlsRecords::append(ContentType type, ByteSpan content, std::vector<std::byte>& out) {
    const std::size_t at = out.size();
    out.resize(at + content.size() + tls::kRecordOverhead);
    return sealer_.seal(type, content, out.data() + at) != 0;
}

// @return false if the cipher failed.
bool TlsRecords::queue(ContentType type, ByteSpan content) {
    // What has gone out goes for good: a peer that reads slowly and asks often makes this no
    // longer.
    unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(unsent_begin_));
    unsent_begin_ = 0;
    const std::size_t before = unsent_.size();
    if (append(type, content, unsent_)) return true;
    unsent_.resize(before);
    return false;
}

Result<std::size_t> TlsRecords::try_write(int descriptor, ByteSpan data) {
    if (failure_) return *failure_;
    auto written = write_records(descriptor, data);
    if (written) return written;
    return fail(written.error());
}

Result<std::size_t> TlsRecords::write_records(int descriptor, ByteSpan data) {
    std::size_t total = 0;
    // Nothing is sealed while older records still wait: they are what bounds the memory.
    auto flushed = flush_records(descriptor);
    auto& buffer = outbound_buffer();
    if (buffer.empty()) buffer.resize(kBatch + kBatch / tls::kMaxPlaintext * tls::kRecordOverhead);
    while (flushed && total < data.size()) {
        std::size_t used = 0;
        const std::size_t end = std::min(data.size(), total + kBatch);
        while (total < end) {
            const auto piece = data.subspan(total, std::min(tls::kMaxPlaintext, end - total));
            const std::size_t size =
                sealer_.seal(ContentType::application_data, piece, buffer.data() + used);
            if (size == 0) return tls::errc::cipher_failed;
            used += size;
            total += piece.size();
        }
        flushed = send(descriptor, {buffer.data(), used});
        if (sealer_.records() < records_per_key_) continue;
        if (!queue(ContentType::handshake, tls::kKeyUpdate)) return tls::errc::cipher_failed;
        sealer_.update();
        if (flushed) flushed = flush_records(descriptor);
    }
    if (!flushed && flushed.error().code() != asio::error::would_block) return flushed.error();
    return total;
}

Result<void> TlsRecords::send(int descriptor, ByteSpan records) {
    const auto n = ::send(descriptor, records.data(), records.size(), kFlags);
    if (n < 0 && !would_block()) return system_error_now();
    const auto sent = records.subspan(n < 0 ? 0 : static_cast<std::size_t>(n));
    if (sent.empty()) return {};
    unsent_.assign(sent.begin(), sent.end());
    return kWouldBlock;
}

Result<void> TlsRecords::flush(int descriptor) {
    if (failure_) return *failure_;
    auto flushed = flush_records(descriptor);
    if (flushed || flushed.error().code() == asio::error::would_block) return flushed;
    return fail(flushed.error());
}

Result<void> TlsRecords::flush_records(int descriptor) {
    if (unsent_.empty()) return {};
    const ByteSpan left = ByteSpan(unsent_).subspan(unsent_begin_);
    const auto n = ::send(descriptor, left.data(), left.size(), kFlags);
    if (n < 0) {
        if (would_block()) return kWouldBlock;
        return system_error_now();
    }
    unsent_begin_ += static_cast<std::size_t>(n);
    if (unsent_begin_ < unsent_.size()) return kWouldBlock;
    unsent_ = {};  // frees the capacity
    unsent_begin_ = 0;
    return {};
}

void TlsRecords::send_end(int descriptor) {
    send_alert(descriptor, kWarning, kCloseNotify);
}

void TlsRecords::send_alert(int descriptor, std::uint8_t level, std::uint8_t description) {
    if (failure_) return;
    const std::array<std::byte, 2> alert{std::byte{level}, std::byte{description}};
    if (queue(ContentType::alert, alert)) (void)flush_records(descriptor);
}

}  // namespace hpb::net
