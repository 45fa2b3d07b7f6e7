#include "tls/record.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hpb::tls {
namespace {

TrafficSecret secret_for(CipherSuite suite) {
    const std::vector<std::byte> bytes(suite == CipherSuite::aes_256_gcm_sha384 ? 48 : 32,
                                       std::byte{7});
    return TrafficSecret::create(suite, bytes).value();
}

class Record : public testing::TestWithParam<CipherSuite> {
protected:
    Record()
        : sealer(secret_for(GetParam()), choose_cipher().backend),
          opener(secret_for(GetParam()), choose_cipher().backend) {}

    std::vector<std::byte> seal(std::string_view text, ContentType type) {
        std::vector<std::byte> record(text.size() + kRecordOverhead);
        EXPECT_EQ(sealer.seal(type, as_bytes(text), record.data()), record.size());
        return record;
    }
    /// What is in it, or the error's words.
    std::string open(ByteSpan record, ContentType type = ContentType::application_data) {
        const auto size = Opener::record_size(record);
        if (!size) return size.error().message();
        if (!*size || **size != record.size()) return "not whole";
        std::string content(record.size() - kRecordOverhead, '\0');
        const auto opened = opener.open(record, reinterpret_cast<std::byte*>(content.data()));
        if (!opened) return opened.error().message();
        EXPECT_EQ(opened->type, type);
        return content.substr(0, opened->size);
    }

    Sealer sealer;
    Opener opener;
};

TEST_P(Record, ComesBackAsItWas) {
    for (const std::size_t size : {0UL, 1UL, 15UL, 16UL, 17UL, 1000UL, kMaxPlaintext}) {
        const std::string text(size, 'a');
        EXPECT_TRUE(open(seal(text, ContentType::application_data)) == text) << size;
    }
    EXPECT_EQ(open(seal("x", ContentType::handshake), ContentType::handshake), "x");
}

TEST_P(Record, ThatWasChangedAnywhereIsRefused) {
    const auto good = seal("hello", ContentType::application_data);
    for (std::size_t at = kRecordHeaderSize; at < good.size(); ++at) {
        Opener fresh(secret_for(GetParam()), choose_cipher().backend);
        auto bad = good;
        bad[at] ^= std::byte{1};
        std::array<std::byte, 5> out;
        const auto opened = fresh.open(bad, out.data());
        ASSERT_FALSE(opened) << at;
        EXPECT_EQ(opened.error().code(), make_error_code(errc::bad_record_mac));
        EXPECT_EQ(alert_for(opened.error()), 20);
    }
}

TEST_P(Record, OutOfOrderIsRefused) {
    (void)seal("one", ContentType::application_data);
    EXPECT_NE(open(seal("two", ContentType::application_data)).find("modified"), std::string::npos);
}

TEST_P(Record, GoesOnAfterAKeyUpdateOfBothEnds) {
    EXPECT_EQ(open(seal("before", ContentType::application_data)), "before");
    sealer.update();
    opener.update();
    EXPECT_EQ(sealer.records(), 0u);
    EXPECT_EQ(open(seal("after", ContentType::application_data)), "after");
}

TEST_P(Record, PaddingIsTakenOff) {
    // A padded record is one whose content ends with the type and zeros: sealed here as content of
    // type 0, which no peer may send.
    const std::string padded{'h', 'i', 23, 0, 0, 0};
    EXPECT_EQ(open(seal(padded, ContentType::invalid)), "hi");
    Sealer other(secret_for(GetParam()), choose_cipher().backend);
    std::vector<std::byte> record(4 + kRecordOverhead);
    (void)other.seal(ContentType::invalid, as_bytes(std::string_view("\0\0\0\0", 4)),
                     record.data());
    Opener fresh(secret_for(GetParam()), choose_cipher().backend);
    std::array<std::byte, 4> out;
    const auto opened = fresh.open(record, out.data());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), make_error_code(errc::unexpected_record));
}

INSTANTIATE_TEST_SUITE_P(Suites, Record,
                         testing::Values(CipherSuite::aes_128_gcm_sha256,
                                         CipherSuite::aes_256_gcm_sha384,
                                         CipherSuite::chacha20_poly1305_sha256));

std::string size_of(std::initializer_list<int> header) {
    std::vector<std::byte> bytes;
    for (const int value : header) bytes.push_back(static_cast<std::byte>(value));
    const auto size = Opener::record_size(bytes);
    if (!size) return size.error().message();
    return *size ? std::to_string(**size) : "more";
}

TEST(RecordHeader, IsJudgedBeforeItsBodyIsHere) {
    EXPECT_EQ(size_of({23, 3, 3, 0x40}), "more");
    EXPECT_EQ(size_of({23, 3, 3, 0x40, 0x11}), std::to_string(5 + 0x4011));
    EXPECT_EQ(size_of({23, 3, 3, 0x41, 0}), std::to_string(5 + kMaxCiphertext));
    const std::string bad = make_error_code(errc::bad_record).message();
    EXPECT_EQ(size_of({23, 3, 3, 0x41, 1}), bad);  // longer than allowed
    EXPECT_EQ(size_of({23, 3, 3, 0, 16}), bad);    // no room for a type and a tag
    EXPECT_EQ(size_of({'H', 'T', 'T', 'P', '/'}), bad);
    const std::string unexpected = make_error_code(errc::unexpected_record).message();
    EXPECT_EQ(size_of({22, 3, 3, 0, 20}), unexpected);  // a handshake in the clear
    EXPECT_EQ(size_of({20, 3, 3, 0, 1}), unexpected);
}

}  // namespace
}  // namespace hpb::tls
