#include "session/stream_receive.hpp"

#include <gmock/gmock.h>

namespace hpb::session {
namespace {

class ReceiveStreamTest : public ::testing::Test {
protected:
    ReceiveStreamTest() { stream.grant(20); }

    errc feed(std::uint64_t offset, std::string_view data, bool fin = false) {
        if (const errc e = stream.check(offset, data.size(), fin); e != errc::none) return e;
        if (const errc e = stream.on_data(offset, as_bytes(data)); e != errc::none) return e;
        return fin ? stream.on_fin(offset + data.size()) : errc::none;
    }
    std::string read(std::size_t most = 100) {
        std::string out;
        std::array<HeldBytes, 3> pieces;
        while (out.size() < most) {
            const std::size_t n = stream.read(pieces);
            if (n == 0) break;
            const auto part = as_text(pieces[0].bytes).substr(0, most - out.size());
            out += part;
            stream.consume(part.size());
        }
        return out;
    }

    SlabPool pool{4};
    ReceiveStream stream{pool};
};

TEST_F(ReceiveStreamTest, PutsPiecesInOrderAndDropsWhatItHas) {
    EXPECT_EQ(feed(3, "de"), errc::none);
    EXPECT_EQ(feed(8, "ij"), errc::none);
    EXPECT_EQ(stream.readable(), 0U);
    EXPECT_EQ(feed(0, "abc"), errc::none);
    EXPECT_EQ(stream.position(), 5U);
    EXPECT_EQ(read(2), "ab");
    EXPECT_EQ(feed(1, "bcdefgh"), errc::none) << "old, read, and new bytes in one";
    EXPECT_EQ(stream.position(), 10U);
    EXPECT_EQ(read(), "cdefghij");
    EXPECT_EQ(pool.in_use(), 0U);
}

TEST_F(ReceiveStreamTest, MergesPiecesThatTouchOrOverlap) {
    EXPECT_EQ(feed(2, "c"), errc::none);
    EXPECT_EQ(feed(6, "g"), errc::none);
    EXPECT_EQ(feed(4, "e"), errc::none);
    EXPECT_EQ(feed(3, "defg"), errc::none);
    EXPECT_EQ(feed(7, "h"), errc::none);
    EXPECT_EQ(stream.position(), 0U);
    EXPECT_EQ(feed(0, "ab"), errc::none);
    EXPECT_EQ(read(), "abcdefgh");
}

TEST_F(ReceiveStreamTest, RefusesDataBeyondTheCredit) {
    EXPECT_EQ(feed(0, std::string(20, 'x')), errc::none);
    EXPECT_EQ(stream.check(20, 1, false), errc::flow_control);
    EXPECT_EQ(stream.check(~std::uint64_t{0}, 5, false), errc::flow_control);
    EXPECT_EQ(stream.check(20, 0, true), errc::none) << "FIN needs no credit";
}

TEST_F(ReceiveStreamTest, TheEndDoesNotMove) {
    EXPECT_EQ(feed(0, "abc"), errc::none);
    EXPECT_EQ(stream.check(0, 2, true), errc::final_size) << "before what is there";
    EXPECT_EQ(feed(5, "", true), errc::none);
    EXPECT_EQ(stream.position(), 3U);
    EXPECT_FALSE(stream.complete());
    EXPECT_EQ(stream.check(3, 3, false), errc::final_size) << "behind the end";
    EXPECT_EQ(stream.check(3, 1, true), errc::final_size) << "another end";
    EXPECT_EQ(feed(3, "de", true), errc::none) << "the same end again";
    EXPECT_TRUE(stream.complete());
    EXPECT_EQ(stream.position(), 6U);
    EXPECT_FALSE(stream.done());
    EXPECT_EQ(read(), "abcde");
    EXPECT_TRUE(stream.done());
}

TEST_F(ReceiveStreamTest, TwoChannelsCannotDisagreeAboutTheEndFrameByFrame) {
    EXPECT_EQ(stream.check(0, 10, false), errc::none);
    EXPECT_EQ(stream.on_data(0, as_bytes("abc")), errc::none) << "the first part of that frame";
    EXPECT_EQ(feed(3, "d", true), errc::none) << "on another channel";
    EXPECT_EQ(stream.on_data(3, as_bytes("def")), errc::final_size) << "the rest";
}

TEST_F(ReceiveStreamTest, GrantsNothingUntilHalfTheWindowIsConsumed) {
    EXPECT_EQ(stream.wanted(20), 0U);
    EXPECT_EQ(feed(0, std::string(20, 'x')), errc::none);
    EXPECT_EQ(stream.wanted(20), 0U) << "arrival alone grants nothing";
    read(9);
    EXPECT_EQ(stream.wanted(20), 0U);
    read(1);
    EXPECT_EQ(stream.wanted(20), 10U);
    EXPECT_EQ(stream.held(), 10U);
    stream.grant(10);
    EXPECT_EQ(stream.granted(), 30U);
    EXPECT_EQ(feed(20, "y", true), errc::none);
    read(5);
    EXPECT_EQ(stream.wanted(20), 0U) << "nothing more will come";
}

TEST_F(ReceiveStreamTest, GrantsAnEighthOfALargeWindowAndNotLessThanIsWorthAFrame) {
    constexpr std::uint64_t kKiB = 1024;
    const auto after = [&](std::uint64_t consumed, std::uint64_t window) {
        ReceiveStream s{pool};
        s.grant(window);
        EXPECT_EQ(s.on_data(0, as_bytes(std::string(consumed, 'x'))), errc::none);
        s.consume(consumed);
        return s.wanted(window);
    };
    EXPECT_EQ(after(64 * kKiB - 1, 256 * kKiB), 0U);
    EXPECT_EQ(after(64 * kKiB, 256 * kKiB), 64 * kKiB);
    EXPECT_EQ(after(512 * kKiB - 1, 4096 * kKiB), 0U);
    EXPECT_EQ(after(512 * kKiB, 4096 * kKiB), 512 * kKiB);
}

TEST_F(ReceiveStreamTest, TooManyPiecesAreRefused) {
    stream.grant(100'000);
    errc e = errc::none;
    for (std::uint64_t i = 1; e == errc::none && i < 50'000; ++i) e = feed(2 * i, "x");
    EXPECT_EQ(e, errc::too_fragmented);
}

}  // namespace
}  // namespace hpb::session
