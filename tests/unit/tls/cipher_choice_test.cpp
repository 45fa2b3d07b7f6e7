#include "tls/cipher_choice.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tls/openssl_aead.hpp"
#include "tls/self_test.hpp"
#include "tls/vaes_gcm.hpp"

namespace hpb::tls {
namespace {

/// OpenSSL's cipher with one mistake.
class Faulty final : public Aead {
public:
    enum class Fault { none, tag, text, accepts_all };

    Faulty(ByteSpan key, Fault fault)
        : seal_(suite(key), key, Direction::seal),
          open_(suite(key), key, Direction::open),
          fault_(fault) {}

    bool seal(const Nonce& nonce, ByteSpan header, ByteSpan content, std::byte last,
              std::byte* out) override {
        std::byte wrong = last;
        if (fault_ == Fault::text) wrong ^= std::byte{1};
        if (!seal_.seal(nonce, header, content, wrong, out)) return false;
        if (fault_ == Fault::tag) out[content.size() + kTagSize] ^= std::byte{1};
        return true;
    }
    Opening open(const Nonce& nonce, ByteSpan header, ByteSpan sealed, std::byte* out,
                 std::byte& last) override {
        const auto opening = open_.open(nonce, header, sealed, out, last);
        return fault_ == Fault::accepts_all ? Opening::done : opening;
    }

private:
    static CipherSuite suite(ByteSpan key) {
        return key.size() == 16 ? CipherSuite::aes_128_gcm_sha256 : CipherSuite::aes_256_gcm_sha384;
    }
    OpensslAead seal_;
    OpensslAead open_;
    Fault fault_;
};

bool passes(Faulty::Fault fault) {
    return passes_known_answers(
        [fault](ByteSpan key) { return std::make_unique<Faulty>(key, fault); });
}

TEST(SelfTest, AcceptsARightCipherAndRefusesOneWithAMistake) {
    EXPECT_TRUE(passes(Faulty::Fault::none));
    EXPECT_FALSE(passes(Faulty::Fault::tag));
    EXPECT_FALSE(passes(Faulty::Fault::text));
    EXPECT_FALSE(passes(Faulty::Fault::accepts_all));
}

TEST(CipherChoice, OurCipherIsChosenOnlyBehindItsSelfTest) {
    if (!VaesGcm::available()) GTEST_SKIP() << "this processor has no VAES";
    EXPECT_TRUE(native_cipher_passes_self_test());
    ::setenv("HPB_FAIL_SELF_TEST", "1", 1);
    const auto choice = choose_cipher();
    ::unsetenv("HPB_FAIL_SELF_TEST");
    EXPECT_EQ(choice.backend, CipherBackend::openssl);
    EXPECT_NE(choice.reason, "");
}

TEST(CipherChoice, HeedsWhatOpensslIsToldOfTheProcessor) {
    EXPECT_FALSE(is_vaes_masked(nullptr));
    EXPECT_FALSE(is_vaes_masked(""));
    EXPECT_FALSE(is_vaes_masked("~0x200000200000000"));  // AES-NI of the first vector only
    EXPECT_TRUE(is_vaes_masked(":~0x20000000000"));      // VAES
    EXPECT_TRUE(is_vaes_masked(":~0x40000000000"));      // VPCLMULQDQ
    EXPECT_FALSE(is_vaes_masked(":~0x10000000000"));     // GFNI
    EXPECT_TRUE(is_vaes_masked(":0"));
    EXPECT_FALSE(is_vaes_masked(":0xffffffffffffffff"));
    EXPECT_TRUE(is_vaes_masked("0:0:0"));
}

}  // namespace
}  // namespace hpb::tls
