#include "session/stream_send.hpp"

#include <gmock/gmock.h>

namespace hpb::session {
namespace {

constexpr ChannelId kFirst{1};
constexpr ChannelId kSecond{2};

class SendStreamTest : public ::testing::Test {
protected:
    // Sends one frame of at most `most` bytes. @return what went out, "." for FIN.
    std::string send(ChannelId channel, std::uint64_t most = 1000) {
        const auto chunk = stream.next(channel, most);
        if (!chunk) return "-";
        std::string out = std::to_string(chunk->offset) + ":";
        for (std::uint64_t done = 0; done < chunk->size;) {
            const HeldBytes bytes = stream.at(chunk->offset + done, chunk->size - done);
            out += as_text(bytes.bytes);
            done += bytes.bytes.size();
        }
        if (chunk->fin) out += ".";
        stream.mark_sent(*chunk, channel);
        return out;
    }

    SlabPool pool{4};  // small, so that everything crosses the end of a slab
    SendStream stream{pool};
};

TEST_F(SendStreamTest, SendsWithinCreditAndKeepsUntilAcknowledged) {
    EXPECT_EQ(stream.room(), 0U);
    EXPECT_TRUE(stream.on_credit(10));
    EXPECT_FALSE(stream.on_credit(9)) << "credit never shrinks";
    EXPECT_EQ(stream.room(), 10U);
    stream.write(as_bytes("abcdefghij"));
    EXPECT_EQ(stream.room(), 0U);
    EXPECT_EQ(send(kFirst, 6), "0:abcdef");
    EXPECT_EQ(send(kFirst), "6:ghij");
    EXPECT_EQ(send(kFirst), "-");
    EXPECT_EQ(pool.in_use(), 3U);
    EXPECT_TRUE(stream.on_ack(8));
    EXPECT_EQ(stream.held(), 2U);
    EXPECT_EQ(pool.in_use(), 1U);
    EXPECT_TRUE(stream.on_ack(3)) << "an old acknowledgement says nothing";
    EXPECT_FALSE(stream.on_ack(11)) << "never sent";
    EXPECT_TRUE(stream.on_ack(10));
    EXPECT_EQ(pool.in_use(), 0U) << "an idle stream holds no memory";
}

TEST_F(SendStreamTest, FinIsOnePositionAndNeedsNoCredit) {
    stream.on_credit(3);
    stream.write(as_bytes("abc"));
    stream.finish();
    EXPECT_EQ(stream.room(), 0U);
    EXPECT_EQ(send(kFirst, 2), "0:ab");
    EXPECT_EQ(send(kFirst, 1), "2:c.");
    EXPECT_FALSE(stream.has_pending());
    EXPECT_TRUE(stream.on_ack(3));
    EXPECT_FALSE(stream.done());
    EXPECT_EQ(stream.on_channel_lost(kFirst), 0U) << "FIN is no byte";
    EXPECT_EQ(send(kSecond), "3:.");
    EXPECT_TRUE(stream.on_ack(4));
    EXPECT_TRUE(stream.done());
}

TEST_F(SendStreamTest, FinAfterEverythingWasAcknowledged) {
    stream.on_credit(3);
    stream.write(as_bytes("abc"));
    EXPECT_EQ(send(kFirst), "0:abc");
    EXPECT_TRUE(stream.on_ack(3));
    EXPECT_FALSE(stream.done());
    stream.finish();
    EXPECT_EQ(send(kFirst), "3:.");
    EXPECT_FALSE(stream.on_ack(5));
    EXPECT_TRUE(stream.on_ack(4));
    EXPECT_TRUE(stream.done());
}

TEST_F(SendStreamTest, LosingAChannelRepeatsExactlyWhatWasOnIt) {
    stream.on_credit(100);
    stream.write(as_bytes("aabbccddee"));
    EXPECT_EQ(send(kFirst, 2), "0:aa");
    EXPECT_EQ(send(kSecond, 2), "2:bb");
    EXPECT_EQ(send(kFirst, 2), "4:cc");
    EXPECT_EQ(send(kSecond, 2), "6:dd");
    EXPECT_TRUE(stream.on_ack(1));
    EXPECT_TRUE(stream.in_flight_on(kFirst));
    EXPECT_EQ(stream.on_channel_lost(kFirst), 3U);
    EXPECT_FALSE(stream.in_flight_on(kFirst));
    EXPECT_EQ(send(kSecond), "1:a");
    EXPECT_EQ(send(kSecond, 1), "4:c");
    EXPECT_EQ(send(kSecond, 1), "5:c");
    EXPECT_EQ(send(kSecond), "8:ee");
    EXPECT_EQ(send(kSecond), "-");
}

TEST_F(SendStreamTest, AnAcknowledgementEndsAPendingRepetition) {
    stream.on_credit(100);
    stream.write(as_bytes("abcdef"));
    EXPECT_EQ(send(kFirst), "0:abcdef");
    EXPECT_EQ(stream.on_channel_lost(kFirst), 6U);
    EXPECT_TRUE(stream.on_ack(4));
    EXPECT_EQ(send(kSecond), "4:ef");
    EXPECT_TRUE(stream.on_ack(6));
    EXPECT_FALSE(stream.has_pending());
}

TEST_F(SendStreamTest, TinyFramesOnManyChannelsDoNotGrowTheRecordsWithoutBound) {
    stream.on_credit(1 << 20);
    stream.write(ByteSpan{std::vector<std::byte>(1 << 14)});
    std::uint64_t refused = 0;
    for (int i = 0; i < 5000; ++i) {
        if (send(i % 2 == 0 ? kFirst : kSecond, 1) == "-") ++refused;
    }
    EXPECT_GT(refused, 1000U) << "one of the channels is no longer used";
    EXPECT_TRUE(stream.on_ack(1000));
    EXPECT_NE(send(kFirst, 1), "-");
    EXPECT_NE(send(kSecond, 1), "-");
}

}  // namespace
}  // namespace hpb::session
