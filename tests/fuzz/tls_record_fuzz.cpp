// TLS records and what stands in them after the handshake: taken, or refused; what was sealed comes
// back as it was, and what was changed does not.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "tls/openssl_aead.hpp"
#include "tls/post_handshake.hpp"
#include "tls/record.hpp"

namespace {

using namespace hpb;
using namespace hpb::tls;

void require(bool condition) {
    if (!condition) std::abort();
}

CipherBackend backend() {
    static const auto chosen = choose_cipher().backend;
    return chosen;
}

TrafficSecret secret() {
    const std::vector<std::byte> bytes(32, std::byte{1});
    return *TrafficSecret::create(CipherSuite::aes_128_gcm_sha256, bytes);
}

// Nobody without the key can make a record that opens.
void check_foreign(ByteSpan in) {
    Opener opener(secret(), backend());
    std::vector<std::byte> out(kMaxCiphertext);
    while (true) {
        const auto size = Opener::record_size(in);
        if (!size || !*size || **size > in.size()) return;
        require(**size >= kRecordOverhead && **size <= kRecordHeaderSize + kMaxCiphertext);
        require(!opener.open(in.first(**size), out.data()));
        in = in.subspan(**size);
    }
}

void check_sealed(ByteSpan in) {
    const auto content = in.first(std::min(in.size(), kMaxPlaintext));
    Sealer sealer(secret(), backend());
    Opener opener(secret(), backend());
    std::vector<std::byte> record(content.size() + kRecordOverhead);
    require(sealer.seal(ContentType::application_data, content, record.data()) == record.size());
    require(Opener::record_size(record).value() == record.size());
    std::vector<std::byte> out(content.size() + 1);
    const auto opened = opener.open(record, out.data());
    require(opened && opened->size == content.size());
    require(std::equal(content.begin(), content.end(), out.begin()));
}

// Whoever this processor has for it seals as OpenSSL does.
void check_aead(ByteSpan in) {
    const std::vector<std::byte> key(16, std::byte{1});
    const auto header = in.first(std::min(in.size(), kRecordHeaderSize));
    const auto suite = CipherSuite::aes_128_gcm_sha256;
    std::vector<std::byte> ours(in.size() + 1 + kTagSize);
    auto theirs = ours;
    require(make_aead(suite, key, Aead::Direction::seal, backend())
                ->seal({}, header, in, std::byte{23}, ours.data()));
    require(OpensslAead(suite, key, Aead::Direction::seal)
                .seal({}, header, in, std::byte{23}, theirs.data()));
    require(ours == theirs);
}

// The same messages in any chunking.
void check_messages(ByteSpan in) {
    PostHandshake whole;
    ByteSpan left = in;
    const auto found = whole.next(left);
    require(!found || *found != PostHandshake::Found::nothing || left.empty());
    PostHandshake pieces;
    for (const std::byte& byte : in) {
        ByteSpan one(&byte, 1);
        const auto next = pieces.next(one);
        if (!next) return;
        require(one.empty());
        if (*next != PostHandshake::Found::nothing) return;
    }
    require(!found || *found == PostHandshake::Found::nothing);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto in = std::as_bytes(std::span(data, size));
    check_foreign(in);
    check_sealed(in);
    check_aead(in);
    check_messages(in);
    return 0;
}
