#include "tls/traffic_keys.hpp"

#include <gtest/gtest.h>

#include "support/bytes_text.hpp"

namespace hpb::tls {
namespace {

using test::from_hex;

// RFC 8448 section 3, "Simple 1-RTT Handshake": the server's application traffic secret, and the
// keys that it writes with.
constexpr std::string_view kSecret =
    "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";

TEST(TrafficSecret, GivesTheKeysOfTheStandardsExample) {
    const auto secret = TrafficSecret::create(CipherSuite::aes_128_gcm_sha256, from_hex(kSecret));
    ASSERT_TRUE(secret);
    const auto keys = secret->keys();
    EXPECT_EQ(keys.key_size, 16u);
    const auto key = from_hex("9f02283b6c9c07efc26bb9f2ac92e356");
    EXPECT_TRUE(std::equal(key.begin(), key.end(), keys.key.begin()));
    const auto iv = from_hex("cf782b88dd83549aadf1e984");
    EXPECT_TRUE(std::equal(iv.begin(), iv.end(), keys.iv.begin()));
}

TEST(TrafficSecret, OfAnotherSizeThanItsHashIsNone) {
    const auto secret = from_hex(kSecret);
    EXPECT_TRUE(TrafficSecret::create(CipherSuite::chacha20_poly1305_sha256, secret));
    EXPECT_FALSE(TrafficSecret::create(CipherSuite::aes_256_gcm_sha384, secret));
    EXPECT_FALSE(TrafficSecret::create(CipherSuite::aes_128_gcm_sha256, {}));
}

TEST(TrafficSecret, NextOneIsAnotherOfTheSameSize) {
    const auto first = TrafficSecret::create(CipherSuite::aes_128_gcm_sha256, from_hex(kSecret));
    const auto second = first->next();
    EXPECT_EQ(second.bytes().size(), first->bytes().size());
    EXPECT_FALSE(std::equal(second.bytes().begin(), second.bytes().end(), first->bytes().begin()));
}

TEST(CipherSuite, KnowsThoseOfTls13ThatEverybodyHas) {
    EXPECT_TRUE(known_suite(0x1301));
    EXPECT_TRUE(known_suite(0x1303));
    EXPECT_FALSE(known_suite(0x1304));
    EXPECT_FALSE(known_suite(0xc02f));
}

}  // namespace
}  // namespace hpb::tls
