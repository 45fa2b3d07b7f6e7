#include "net/tls/batch.hpp"

#include <openssl/bio.h>
#include <sys/socket.h>

#include <memory>
#include <vector>

#include "net/system_error.hpp"

namespace hpb::net {
namespace {

namespace asio = boost::asio;

/// What one SSL object has made and its socket has not taken.
struct Unsent {
    std::vector<std::byte> bytes;
    std::size_t sent = 0;
};

/// Room for TlsBatch::kPlaintext in records. Grows once if a handshake needs more.
std::vector<std::byte>& fresh() {
    thread_local std::vector<std::byte> records = [] {
        std::vector<std::byte> bytes;
        bytes.reserve(TlsBatch::kPlaintext + 1024);
        return bytes;
    }();
    return records;
}

int bio_write(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
    BIO_clear_retry_flags(bio);
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    fresh().insert(fresh().end(), bytes, bytes + size);
    *written = size;
    return 1;
}

long bio_control(BIO*, int command, long, void*) {
    // The owner flushes, when the call into OpenSSL has returned.
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int bio_create(BIO* bio) {
    BIO_set_data(bio, new Unsent);
    BIO_set_init(bio, 1);
    return 1;
}

int bio_destroy(BIO* bio) {
    delete static_cast<Unsent*>(BIO_get_data(bio));
    BIO_set_data(bio, nullptr);
    return 1;
}

BIO_METHOD* make_method() {
    BIO_METHOD* method =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "hpb record batch");
    if (method == nullptr) return nullptr;
    const bool done = BIO_meth_set_write_ex(method, bio_write) == 1 &&
                      BIO_meth_set_ctrl(method, bio_control) == 1 &&
                      BIO_meth_set_create(method, bio_create) == 1 &&
                      BIO_meth_set_destroy(method, bio_destroy) == 1;
    return done ? method : nullptr;
}

Unsent* unsent_of(SSL* ssl) {
    BIO* bio = SSL_get_wbio(ssl);
    return bio == nullptr ? nullptr : static_cast<Unsent*>(BIO_get_data(bio));
}

/// @return bytes taken by the socket, 0 if it is full.
Result<std::size_t> send_some(int descriptor, ByteSpan bytes) {
    const auto n = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (would_block()) return std::size_t{0};
    return system_error_now();
}

}  // namespace

bool TlsBatch::attach(SSL* ssl, int descriptor) {
    static BIO_METHOD* const method = make_method();
    BIO* out = method == nullptr ? nullptr : BIO_new(method);
    BIO* in = BIO_new_socket(descriptor, BIO_NOCLOSE);
    if (out == nullptr || in == nullptr) {
        BIO_free(out);
        BIO_free(in);
        return false;
    }
    SSL_set0_rbio(ssl, in);
    SSL_set0_wbio(ssl, out);
    return true;
}

Result<void> TlsBatch::flush(SSL* ssl, int descriptor) {
    std::vector<std::byte>& made = fresh();
    Unsent* unsent = unsent_of(ssl);
    if (unsent == nullptr) return Error(asio::error::bad_descriptor);
    std::vector<std::byte>& kept = unsent->bytes;
    if (made.empty() && kept.empty()) return {};
    if (!kept.empty()) {
        kept.insert(kept.end(), made.begin(), made.end());
        made.clear();
        const auto sent = send_some(descriptor, ByteSpan(kept).subspan(unsent->sent));
        if (!sent) return sent.error();
        unsent->sent += *sent;
        if (unsent->sent < kept.size()) return Error(asio::error::would_block);
        kept = {};  // frees the capacity
        unsent->sent = 0;
        return {};
    }
    const auto sent = send_some(descriptor, made);
    if (sent && *sent < made.size())
        kept.assign(made.begin() + static_cast<std::ptrdiff_t>(*sent), made.end());
    made.clear();
    if (!sent) return sent.error();
    if (!kept.empty()) return Error(asio::error::would_block);
    return {};
}

bool TlsBatch::has_unsent(SSL* ssl) {
    const Unsent* unsent = unsent_of(ssl);
    return unsent != nullptr && !unsent->bytes.empty();
}

}  // namespace hpb::net
