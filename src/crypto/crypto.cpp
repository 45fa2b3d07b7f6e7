#include "crypto/crypto.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>

namespace hpb::crypto {
namespace {

const unsigned char* raw(const void* data) {
    return static_cast<const unsigned char*>(data);
}

const EVP_MD* function_of(Hash hash) {
    return hash == Hash::sha384 ? EVP_sha384() : EVP_sha256();
}

bool make_hmac(Hash hash, std::string_view key, std::string_view data, MutableByteSpan out) {
    // An empty view may hold a null pointer, which HMAC() takes for "no key": give it a place
    // instead.
    if (key.empty()) key = "";
    if (data.empty()) data = "";
    unsigned size = 0;
    const auto* done =
        HMAC(function_of(hash), key.data(), static_cast<int>(key.size()), raw(data.data()),
             data.size(), reinterpret_cast<unsigned char*>(out.data()), &size);
    return done != nullptr && size == out.size();
}

bool make_sha1(ByteSpan data, Sha1& out) {
    unsigned size = 0;
    return EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(out.data()), &size,
                      EVP_sha1(), nullptr) == 1;
}

bool make_random(MutableByteSpan out) {
    return RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) ==
           1;
}

// check_library() has found all of them at the start, so memory is short or OpenSSL was taken
// apart; what would be made instead, all zeros, anybody can make.
[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "hpb: error: OpenSSL failed (%s); aborting\n", what);
    std::abort();
}

}  // namespace

Result<void> check_library() {
    ERR_clear_error();
    Sha1 sha{};
    std::array<std::byte, 48> sum{};
    const char* missing = nullptr;
    if (!make_sha1({}, sha)) missing = "SHA-1";
    for (const auto hash : {Hash::sha256, Hash::sha384}) {
        if (!make_hmac(hash, "key", "", MutableByteSpan(sum).first(size_of(hash))))
            missing = "HMAC-SHA-2";
    }
    if (!make_random(sum)) missing = "random bytes";
    if (missing == nullptr) return {};
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return Error(errc::not_found, std::string("OpenSSL cannot be used: it has no ") + missing +
                                      " (" + (reason != nullptr ? reason : "unknown reason") +
                                      "); check its configuration (OPENSSL_CONF, openssl.cnf)");
}

Sha1 sha1(ByteSpan data) {
    Sha1 out{};
    if (!make_sha1(data, out)) give_up("SHA-1");
    return out;
}

void hmac(Hash hash, std::string_view key, std::string_view data, MutableByteSpan out) {
    if (!make_hmac(hash, key, data, out)) give_up("HMAC");
}

Sha256 hmac_sha256(std::string_view key, std::string_view data) {
    Sha256 out{};
    hmac(Hash::sha256, key, data, out);
    return out;
}

std::string base64_encode(ByteSpan data) {
    std::string out((data.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), raw(data.data()),
                                     static_cast<int>(data.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

std::optional<std::vector<std::byte>> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::vector<std::byte> out(text.size() / 4 * 3);
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), raw(text.data()),
                                     static_cast<int>(text.size()));
    if (size < 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
        ++padding;
    out.resize(static_cast<std::size_t>(size) - padding);
    // EVP_DecodeBlock is lenient about spaces and inner padding; the round trip is not.
    if (base64_encode(out) != text) return std::nullopt;
    return out;
}

std::string hex(ByteSpan data) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    out.reserve(data.size() * 2);
    for (const auto b : data) {
        out.push_back(kDigits[std::to_integer<unsigned>(b) >> 4]);
        out.push_back(kDigits[std::to_integer<unsigned>(b) & 15]);
    }
    return out;
}

bool constant_time_equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void random_bytes(MutableByteSpan out) {
    if (!make_random(out)) give_up("random bytes");
}

double random_fraction() {
    std::array<std::byte, 4> bytes{};
    random_bytes(bytes);
    return static_cast<double>(load_le<std::uint32_t>(bytes.data())) / 4294967296.0;
}

std::string random_hex(std::size_t bytes) {
    std::vector<std::byte> random(bytes);
    random_bytes(random);
    return hex(random);
}

}  // namespace hpb::crypto
