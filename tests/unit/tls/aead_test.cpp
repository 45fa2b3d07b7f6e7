#include "tls/aead.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "support/bytes_text.hpp"
#include "tls/openssl_aead.hpp"
#include "tls/vaes_gcm.hpp"

namespace hpb::tls {
namespace {

using Bytes = std::vector<std::byte>;
using test::from_hex;

Aead::Nonce nonce_of(ByteSpan bytes) {
    Aead::Nonce nonce;
    std::copy_n(bytes.begin(), nonce.size(), nonce.begin());
    return nonce;
}

Bytes random_bytes(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    return bytes;
}

Bytes sealed(Aead& aead, const Aead::Nonce& nonce, ByteSpan header, ByteSpan text) {
    Bytes out(text.size() + kTagSize);
    EXPECT_TRUE(aead.seal(nonce, header, text.first(text.size() - 1), text.back(), out.data()));
    return out;
}

Aead::Opening opened(Aead& aead, const Aead::Nonce& nonce, ByteSpan header, ByteSpan in,
                     Bytes& text) {
    text.assign(in.size() - kTagSize, std::byte{0});
    return aead.open(nonce, header, in, text.data(), text.back());
}

enum class Maker { openssl, vaes, chosen };

bool kernel_knows_vaes() {
    std::ifstream in("/proc/cpuinfo");
    const std::string text(std::istreambuf_iterator<char>(in), {});
    return text.find(" vaes") != std::string::npos && text.find(" vpclmulqdq") != std::string::npos;
}

// AES-GCM with keys of both sizes, from each of those who can do it.
class AesGcm : public testing::TestWithParam<Maker> {
protected:
    void SetUp() override {
        if (GetParam() == Maker::vaes && !VaesGcm::available()) {
            // Where it should have run, a run without it has tested nothing.
            ASSERT_FALSE(std::getenv("CI") != nullptr && kernel_knows_vaes());
            GTEST_SKIP() << "this processor has no VAES";
        }
    }
    static std::unique_ptr<Aead> make(ByteSpan key, Aead::Direction direction) {
        const auto suite =
            key.size() == 16 ? CipherSuite::aes_128_gcm_sha256 : CipherSuite::aes_256_gcm_sha384;
        if (GetParam() == Maker::vaes) return std::make_unique<VaesGcm>(key);
        if (GetParam() == Maker::chosen)
            return make_aead(suite, key, direction, choose_cipher().backend);
        return std::make_unique<OpensslAead>(suite, key, direction);
    }
};

// The GCM specification's test cases 4 and 16 (McGrew and Viega, appendix B).
TEST_P(AesGcm, SealsAsTheStandardsVectorsDo) {
    const auto text = from_hex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
    const auto header = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    const auto nonce = nonce_of(from_hex("cafebabefacedbaddecaf888"));
    const auto key = from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");

    const auto short_key = make(ByteSpan(key).first(16), Aead::Direction::seal);
    EXPECT_EQ(sealed(*short_key, nonce, header, text),
              from_hex("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                       "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
                       "5bc94fbc3221a5db94fae95ae7121a47"));
    const auto long_key = make(key, Aead::Direction::seal);
    EXPECT_EQ(sealed(*long_key, nonce, header, text),
              from_hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                       "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                       "76fc6ece0f4e1768cddf8853bb2d551b"));
}

// Every way that a text can end in, with none, one, two and many of the strides that are done at
// once before it, and keys and nonces of all kinds.
TEST_P(AesGcm, SealsAndOpensWhatOpensslDoes) {
    std::vector<std::size_t> sizes;
    for (std::size_t size = 1; size <= 600; ++size) sizes.push_back(size);
    for (const std::size_t size : {4095UL, 8192UL, 16383UL, 16384UL, 16385UL})
        sizes.push_back(size);
    for (const std::size_t size : sizes) {
        const auto seed = static_cast<unsigned>(size);
        const auto key = random_bytes(size % 2 == 0 ? 16 : 32, seed);
        const auto suite =
            size % 2 == 0 ? CipherSuite::aes_128_gcm_sha256 : CipherSuite::aes_256_gcm_sha384;
        const auto nonce = nonce_of(random_bytes(kNonceSize, seed + 1));
        const auto header = random_bytes(5, seed + 2);
        const auto text = random_bytes(size, seed + 3);
        OpensslAead theirs(suite, key, Aead::Direction::seal);
        const auto expected = sealed(theirs, nonce, header, text);
        ASSERT_EQ(sealed(*make(key, Aead::Direction::seal), nonce, header, text), expected) << size;
        Bytes back;
        const auto opener = make(key, Aead::Direction::open);
        ASSERT_EQ(opened(*opener, nonce, header, expected, back), Aead::Opening::done) << size;
        ASSERT_EQ(back, text) << size;
    }
}

TEST_P(AesGcm, WritesNothingBehindTheText) {
    const auto key = random_bytes(16, 1);
    const auto text = random_bytes(300, 2);
    Bytes out(text.size() + kTagSize + 32, std::byte{0xee});
    ASSERT_TRUE(make(key, Aead::Direction::seal)
                    ->seal({}, {}, ByteSpan(text).first(299), text.back(), out.data()));
    const Bytes record(out.begin(), out.end() - 32);
    EXPECT_EQ(Bytes(out.end() - 32, out.end()), Bytes(32, std::byte{0xee}));
    Bytes back(text.size() + 31, std::byte{0xee});
    std::byte last{};
    ASSERT_EQ(make(key, Aead::Direction::open)->open({}, {}, record, back.data(), last),
              Aead::Opening::done);
    EXPECT_EQ(Bytes(back.begin() + 299, back.end()), Bytes(32, std::byte{0xee}));
}

TEST_P(AesGcm, SeesEveryBitThatWasChanged) {
    const auto key = random_bytes(16, 1);
    const auto nonce = nonce_of(random_bytes(kNonceSize, 2));
    const auto header = random_bytes(5, 3);
    const auto opener = make(key, Aead::Direction::open);
    Bytes text;
    for (const std::size_t size : {1UL, 17UL, 275UL}) {
        const auto good =
            sealed(*make(key, Aead::Direction::seal), nonce, header, random_bytes(size, 4));
        for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
            auto bad = good;
            bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
            ASSERT_EQ(opened(*opener, nonce, header, bad, text), Aead::Opening::forged) << bit;
        }
        for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
            auto bad = header;
            bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
            ASSERT_EQ(opened(*opener, nonce, bad, good, text), Aead::Opening::forged) << bit;
        }
        auto other = nonce;
        other[0] ^= std::byte{1};
        EXPECT_EQ(opened(*opener, other, header, good, text), Aead::Opening::forged);
        EXPECT_EQ(opened(*opener, nonce, header, good, text), Aead::Opening::done);
    }
}

std::string name_of(const testing::TestParamInfo<Maker>& info) {
    if (info.param == Maker::openssl) return "Openssl";
    return info.param == Maker::vaes ? "Vaes" : "Chosen";
}

INSTANTIATE_TEST_SUITE_P(Makers, AesGcm,
                         testing::Values(Maker::openssl, Maker::vaes, Maker::chosen), name_of);

}  // namespace
}  // namespace hpb::tls
