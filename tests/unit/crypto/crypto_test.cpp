#include "crypto/crypto.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace hpb::crypto {
namespace {

TEST(Crypto, Sha1KnowsTheStandardVectors) {  // FIPS 180-2, appendix A
    EXPECT_EQ(hex(sha1(as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(hex(sha1({})), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST(Crypto, HmacSha256KnowsTheStandardVectors) {  // RFC 4231, cases 1, 2 and 6
    EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xaa'),
                              "Test Using Larger Than Block-Size Key - Hash Key First")),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Crypto, HmacTakesAnEmptyKeyAndEmptyData) {
    EXPECT_EQ(hex(hmac_sha256({}, {})),
              "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Crypto, Base64KnowsTheStandardVectors) {  // RFC 4648, section 10
    const std::pair<std::string_view, std::string_view> vectors[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (const auto& [plain, encoded] : vectors) {
        EXPECT_EQ(base64_encode(as_bytes(plain)), encoded);
        const auto decoded = base64_decode(encoded);
        ASSERT_TRUE(decoded) << encoded;
        EXPECT_EQ(as_text(*decoded), plain);
    }
}

TEST(Crypto, Base64RefusesWhatIsNotCanonical) {
    for (const std::string_view bad :
         {"Zg",       "Zg=",      "Zg===", "Z===",         "====",     "=",      "Zh==",
          "Zm9=",     "Zg==Zg==", " Zg=",  "Zg==\n\n\n\n", "    Zg==", "Zm9v\n", "Zm-_",
          "Zm9v    ", "    ",     "----",  "Zm\xc3\xa4",   "Z=9v",     "=m9v"}) {
        EXPECT_FALSE(base64_decode(bad)) << bad;
    }
}

TEST(Crypto, Base64OfAllBytesSurvivesTheRoundTrip) {
    std::vector<std::byte> all;
    for (unsigned value = 0; value < 256; ++value) all.push_back(static_cast<std::byte>(value));
    for (std::size_t size = 0; size <= all.size(); ++size) {
        const ByteSpan part{all.data(), size};
        const auto back = base64_decode(base64_encode(part));
        ASSERT_TRUE(back);
        EXPECT_TRUE(std::ranges::equal(*back, part));
    }
}

TEST(Crypto, HexIsLowerCaseAndTwoDigitsAByte) {
    EXPECT_EQ(hex(as_bytes("\x01\xaf\xff")), "01afff");
    EXPECT_EQ(hex({}), "");
}

TEST(Crypto, ConstantTimeEqualIsEquality) {
    EXPECT_TRUE(constant_time_equal("", ""));
    EXPECT_TRUE(constant_time_equal("abc", "abc"));
    EXPECT_FALSE(constant_time_equal("abc", "abd"));
    EXPECT_FALSE(constant_time_equal("abc", "ab"));
}

TEST(Crypto, RandomValuesDiffer) {
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        const std::string value = random_hex(16);
        EXPECT_EQ(value.size(), 32U);
        EXPECT_EQ(value.find_first_not_of("0123456789abcdef"), std::string::npos);
        EXPECT_TRUE(seen.insert(value).second);
    }
    random_bytes({});  // nothing to fill is no failure
}

}  // namespace
}  // namespace hpb::crypto
