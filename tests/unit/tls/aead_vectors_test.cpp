// NIST's own vectors for AES-GCM (CAVP): those that a TLS record can have, with nonces of 96 bits
// and whole tags. From the package python3-cryptography-vectors.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "support/bytes_text.hpp"
#include "tls/cipher_choice.hpp"
#include "tls/openssl_aead.hpp"
#include "tls/vaes_gcm.hpp"

namespace hpb::tls {
namespace {

using Bytes = std::vector<std::byte>;
using test::from_hex;

constexpr const char* kFolder =
    "/usr/lib/python3/dist-packages/cryptography_vectors/ciphers/AES/GCM/";

struct Vector {
    std::string count;
    std::map<std::string, Bytes> bytes;
    bool forged = false;
};

/// Those of a file that a TLS record can have.
std::vector<Vector> read_vectors(const std::string& file) {
    std::ifstream in(kFolder + file);
    std::vector<Vector> all;
    for (std::string line; std::getline(in, line);) {
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
        if (line.starts_with("Count = ")) all.push_back({line, {}, false});
        if (all.empty()) continue;
        if (line == "FAIL") all.back().forged = true;
        const auto equals = line.find(" =");
        if (equals == std::string::npos || line.front() == '[') continue;
        const auto value = line.size() > equals + 3 ? line.substr(equals + 3) : "";
        if (line.substr(0, equals) != "Count")
            all.back().bytes[line.substr(0, equals)] = from_hex(value);
    }
    std::erase_if(all, [](Vector& vector) {
        auto& bytes = vector.bytes;
        return bytes["IV"].size() != kNonceSize || bytes["CT"].empty() ||
               bytes["Tag"].size() != kTagSize;
    });
    return all;
}

class AesGcmVectors : public testing::TestWithParam<CipherBackend> {
protected:
    void SetUp() override {
        if (!std::ifstream(std::string(kFolder) + "gcmDecrypt128.rsp")) {
            ASSERT_EQ(std::getenv("CI"), nullptr) << "python3-cryptography-vectors is missing";
            GTEST_SKIP() << "python3-cryptography-vectors is not installed";
        }
        if (GetParam() == CipherBackend::native && !VaesGcm::available())
            GTEST_SKIP() << "this processor has no VAES";
    }
    static std::unique_ptr<Aead> make(ByteSpan key, Aead::Direction direction) {
        const auto suite =
            key.size() == 16 ? CipherSuite::aes_128_gcm_sha256 : CipherSuite::aes_256_gcm_sha384;
        return make_aead(suite, key, direction, GetParam());
    }
    static Aead::Nonce nonce_of(const Bytes& bytes) {
        Aead::Nonce nonce;
        std::copy_n(bytes.begin(), nonce.size(), nonce.begin());
        return nonce;
    }
};

TEST_P(AesGcmVectors, SealsAsNistDoes) {
    std::size_t count = 0;
    for (const char* file : {"gcmEncryptExtIV128.rsp", "gcmEncryptExtIV256.rsp"}) {
        for (auto& [name, bytes, forged] : read_vectors(file)) {
            const Bytes& text = bytes["PT"];
            Bytes out(text.size() + kTagSize);
            ASSERT_TRUE(make(bytes["Key"], Aead::Direction::seal)
                            ->seal(nonce_of(bytes["IV"]), bytes["AAD"],
                                   ByteSpan(text).first(text.size() - 1), text.back(), out.data()));
            Bytes expected = bytes["CT"];
            expected.insert(expected.end(), bytes["Tag"].begin(), bytes["Tag"].end());
            ASSERT_EQ(out, expected) << file << ", " << name;
            ++count;
        }
    }
    EXPECT_GT(count, 500u);
}

TEST_P(AesGcmVectors, OpensAndRefusesAsNistDoes) {
    std::size_t opened = 0;
    std::size_t refused = 0;
    for (const char* file : {"gcmDecrypt128.rsp", "gcmDecrypt256.rsp"}) {
        for (auto& [name, bytes, forged] : read_vectors(file)) {
            Bytes sealed = bytes["CT"];
            sealed.insert(sealed.end(), bytes["Tag"].begin(), bytes["Tag"].end());
            Bytes text(bytes["CT"].size());
            const auto opening =
                make(bytes["Key"], Aead::Direction::open)
                    ->open(nonce_of(bytes["IV"]), bytes["AAD"], sealed, text.data(), text.back());
            ASSERT_EQ(opening, forged ? Aead::Opening::forged : Aead::Opening::done)
                << file << ", " << name;
            if (!forged) ASSERT_EQ(text, bytes["PT"]) << file << ", " << name;
            ++(forged ? refused : opened);
        }
    }
    EXPECT_GT(opened, 200u);
    EXPECT_GT(refused, 200u);
}

INSTANTIATE_TEST_SUITE_P(Backends, AesGcmVectors,
                         testing::Values(CipherBackend::openssl, CipherBackend::native),
                         [](const auto& info) {
                             return info.param == CipherBackend::native ? "Native" : "Openssl";
                         });

}  // namespace
}  // namespace hpb::tls
