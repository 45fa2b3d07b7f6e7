// What a TLS 1.3 peer can do behind its handshake that no honest one does.
#include "net/tls/records.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/error.hpp>

#include "support/loopback.hpp"
#include "support/reached.hpp"

namespace hpb::test {
namespace {

using tls::ContentType;

tls::TrafficSecret secret(int seed) {
    const std::vector<std::byte> bytes(32, static_cast<std::byte>(seed));
    return tls::TrafficSecret::create(tls::CipherSuite::aes_128_gcm_sha256, bytes).value();
}

class TlsRecordsTest : public testing::Test {
protected:
    TlsRecordsTest() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0); }
    ~TlsRecordsTest() override {
        for (const int end : ends) ::close(end);
    }

    void send(ContentType type, ByteSpan content) {
        std::vector<std::byte> record(content.size() + tls::kRecordOverhead);
        ASSERT_EQ(sealer.seal(type, content, record.data()), record.size());
        ASSERT_EQ(::send(ends[1], record.data(), record.size(), 0),
                  static_cast<ssize_t>(record.size()));
    }
    Result<std::size_t> read(std::size_t room = 4096) {
        into.resize(room);
        return records.try_read(ends[0], into);
    }
    /// Sent by us and not taken by the peer so far.
    std::size_t answered() {
        std::array<std::byte, 4096> bytes;
        const auto n = ::recv(ends[1], bytes.data(), bytes.size(), 0);
        return n > 0 ? static_cast<std::size_t>(n) : 0;
    }

    void forged_record_is_final(std::size_t room);

    static constexpr std::array<std::byte, 5> kAsking = {std::byte{24}, std::byte{0}, std::byte{0},
                                                         std::byte{1}, std::byte{1}};
    static constexpr auto kBackend = tls::CipherBackend::openssl;
    int ends[2]{};
    tls::Sealer sealer{secret(1), kBackend};
    net::TlsRecords records{secret(1), secret(2), kBackend};
    std::vector<std::byte> into;
};

TEST_F(TlsRecordsTest, RecordsLargerThanTheReadersRoomComeInPieces) {
    const std::string data = pattern(tls::kMaxPlaintext, 1);
    send(ContentType::application_data, as_bytes(data));
    send(ContentType::application_data, as_bytes("end"));
    std::string got;
    while (got.size() < data.size() + 3) {
        const auto n = read(1000);
        if (!n && n.error().code() == net::asio::error::would_block) continue;
        ASSERT_TRUE(n) << n.error().message();
        ASSERT_GT(*n, 0u);
        got += as_text(ByteSpan(into).first(*n));
    }
    EXPECT_TRUE(got == data + "end");
}

TEST_F(TlsRecordsTest, EmptyRecordsWithoutEndAreRefusedAndSomeAreNot) {
    for (unsigned round = 0; round < 3; ++round) {
        for (unsigned i = 0; i + 1 < tls::kMaxEmptyRecords; ++i) {
            send(ContentType::application_data, {});
        }
        send(ContentType::application_data, as_bytes("x"));
        auto n = read();
        if (!n) n = read();  // the first one has only seen that the socket is empty
        ASSERT_TRUE(n) << n.error().message();
        EXPECT_EQ(*n, 1u);
    }
    for (unsigned i = 0; i <= tls::kMaxEmptyRecords; ++i) send(ContentType::application_data, {});
    auto n = read();
    if (!n && n.error().code() == net::asio::error::would_block) n = read();
    ASSERT_FALSE(n);
    EXPECT_EQ(n.error().code(), make_error_code(tls::errc::flood));
    EXPECT_EQ(answered(), 2 + tls::kRecordOverhead) << "an alert";
}

TEST_F(TlsRecordsTest, KeyUpdatesWithoutEndAreRefused) {
    for (unsigned i = 0; i <= tls::kMaxEmptyRecords; ++i) {
        send(ContentType::handshake, kAsking);
        sealer.update();
    }
    const auto n = read();
    ASSERT_FALSE(n);
    EXPECT_EQ(n.error().code(), make_error_code(tls::errc::flood));
}

// S11: a byte of content behind each does not pay for new keys.
TEST_F(TlsRecordsTest, S11KeyUpdatesHaveToBeEarnedByRecords) {
    const Reached flooded(ops::Limit::flooded_connections);
    std::uint64_t sent = 0;
    std::uint64_t updates = 0;
    std::size_t answers = 0;
    Result<std::size_t> n = std::size_t{0};
    while (sent < 10'000) {
        send(ContentType::handshake, kAsking);
        sealer.update();
        ++updates;
        send(ContentType::application_data, as_bytes("x"));
        sent += 2;
        do n = read();
        while (n && *n > 0);
        if (n.error().code() != net::asio::error::would_block) break;
        answers += answered();
    }
    EXPECT_EQ(n.error().code(), make_error_code(tls::errc::flood)) << n.error().message();
    EXPECT_NE(n.error().message().find("KeyUpdate"), std::string::npos) << n.error().message();
    EXPECT_LE(updates, 32 + sent / 32 + 1);
    EXPECT_LE(answers, updates * (tls::kKeyUpdate.size() + tls::kRecordOverhead));
    EXPECT_EQ(read().error().code(), make_error_code(tls::errc::flood)) << "it stays";
    EXPECT_EQ(flooded.times(), 1u);
}

// S11: what an honest peer may want to be careful about.
TEST_F(TlsRecordsTest, S11AKeyUpdateInFortyRecordsIsFine) {
    for (int round = 0; round < 300; ++round) {
        for (int i = 0; i < 39; ++i) send(ContentType::application_data, as_bytes("x"));
        send(ContentType::handshake, kAsking);
        sealer.update();
        std::size_t got = 0;
        while (got < 39) {
            const auto n = read();
            if (!n && n.error().code() == net::asio::error::would_block) continue;
            ASSERT_TRUE(n) << n.error().message() << " in round " << round;
            got += *n;
        }
        (void)answered();
    }
}

// Ours to give: after so many records the peer is told that new keys follow, and they do.
TEST_F(TlsRecordsTest, NewKeysFollowWhenOneHasSealedEnough) {
    constexpr std::uint64_t kPerKey = 4;
    net::TlsRecords few{secret(1), secret(2), kBackend, kPerKey};
    tls::Opener opener{secret(2), kBackend};
    unsigned updates = 0;
    std::string got;
    for (int i = 0; i < 40; ++i) {
        ASSERT_TRUE(few.try_write(ends[0], as_bytes("x")));
        std::vector<std::byte> wire(4096);
        const auto n = ::recv(ends[1], wire.data(), wire.size(), 0);
        ASSERT_GT(n, 0);
        ByteSpan left(wire.data(), static_cast<std::size_t>(n));
        while (!left.empty()) {
            const auto size = tls::Opener::record_size(left).value().value();
            std::vector<std::byte> text(size);
            const auto opened = opener.open(left.first(size), text.data());
            ASSERT_TRUE(opened) << opened.error().message();
            left = left.subspan(size);
            if (opened->type == ContentType::handshake) {
                ++updates;
                opener.update();
            } else {
                got += as_text(ByteSpan(text).first(opened->size));
            }
        }
    }
    EXPECT_EQ(got, std::string(40, 'x'));
    EXPECT_GE(updates, 40 / kPerKey - 2);
    EXPECT_LE(updates, 40 / kPerKey);
}

TEST_F(TlsRecordsTest, APeersAlertIsNamedAndNotAnswered) {
    send(ContentType::alert, std::array{std::byte{2}, std::byte{42}});
    const auto n = read();
    ASSERT_FALSE(n);
    EXPECT_NE(n.error().message().find("bad certificate"), std::string::npos)
        << n.error().message();
    EXPECT_EQ(answered(), 0u);
}

TEST_F(TlsRecordsTest, CloseNotifyIsTheEndWhateverComesBehindIt) {
    send(ContentType::application_data, as_bytes("last"));
    send(ContentType::alert, std::array{std::byte{1}, std::byte{0}});
    send(ContentType::application_data, as_bytes("more"));
    EXPECT_EQ(read().value(), 4u);
    EXPECT_EQ(read().value(), 0u);
}

// S9: nothing that is not authentic is given out, by no later call.
void TlsRecordsTest::forged_record_is_final(std::size_t room) {
    std::array<std::byte, 100 + tls::kRecordOverhead> record;
    const std::array<std::byte, 100> content{};
    ASSERT_EQ(sealer.seal(ContentType::application_data, content, record.data()), record.size());
    record.back() ^= std::byte{1};
    ASSERT_GT(::send(ends[1], record.data(), record.size(), 0), 0);
    send(ContentType::application_data, as_bytes("authentic, and too late"));
    for (int i = 0; i < 3; ++i) {
        const auto n = read(room);
        ASSERT_FALSE(n) << *n << " bytes after a forged record";
        EXPECT_EQ(n.error().code(), make_error_code(tls::errc::bad_record_mac));
    }
    EXPECT_TRUE(
        std::all_of(into.begin(), into.end(), [](std::byte b) { return b == std::byte{0}; }));
    EXPECT_EQ(answered(), 2 + tls::kRecordOverhead) << "one alert";
    const auto written = records.try_write(ends[0], as_bytes("more"));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code(), make_error_code(tls::errc::bad_record_mac));
    records.send_end(ends[0]);
    EXPECT_EQ(answered(), 0u);
}

TEST_F(TlsRecordsTest, AForgedRecordEndsBothDirectionsForGood) {
    forged_record_is_final(4096);
}

TEST_F(TlsRecordsTest, SoDoesOneThatIsLargerThanTheReadersRoom) {
    forged_record_is_final(8);
}

// S9: the same for whatever else is wrong with a record.
TEST_F(TlsRecordsTest, AMalformedRecordIsFinalToo) {
    ASSERT_EQ(::send(ends[1], "HTTP/1.1 200 OK\r\n\r\n", 19, 0), 19);
    ASSERT_FALSE(read());
    send(ContentType::application_data, as_bytes("more"));
    const auto n = read();
    ASSERT_FALSE(n);
    EXPECT_EQ(n.error().code(), make_error_code(tls::errc::bad_record));
}

// S9: and for the socket.
TEST_F(TlsRecordsTest, AWriteThatFailedIsNotTriedAgain) {
    ASSERT_EQ(::shutdown(ends[0], SHUT_WR), 0);
    EXPECT_FALSE(records.try_write(ends[0], as_bytes("x")));
    send(ContentType::application_data, as_bytes("more"));
    EXPECT_FALSE(read());
}

}  // namespace
}  // namespace hpb::test
