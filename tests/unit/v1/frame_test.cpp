#include "v1/frame.hpp"

#include <gmock/gmock.h>

#include <random>
#include <set>
#include <unordered_set>
#include <vector>

#include "support/bytes_text.hpp"

namespace hpb::v1 {
namespace {

using test::from_hex;
using test::to_hex;
using ::testing::ElementsAre;

const std::string kId = "33221100554477668899aabbccddeeff";
const std::string kOtherId = "01000000020003000405060708090a0b";

ConnectionId id_of(std::string_view hex) {
    ConnectionId id;
    const auto bytes = from_hex(hex);
    std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
    return id;
}

struct Frame {
    std::string id;
    std::string payload;
    bool operator==(const Frame&) const = default;
};

// Puts the pieces of frames together again and checks that their marks are consistent.
class Collector {
public:
    void feed(ByteSpan in) {
        while (const auto piece = decoder_.next(in)) {
            EXPECT_EQ(piece->frame_start, !open_);
            if (piece->frame_start) frames_.push_back({to_hex(piece->id.bytes), {}});
            EXPECT_EQ(to_hex(piece->id.bytes), frames_.back().id);
            frames_.back().payload += as_text(piece->payload);
            open_ = !piece->frame_end;
        }
        EXPECT_TRUE(in.empty());
    }
    [[nodiscard]] const std::vector<Frame>& frames() const { return frames_; }
    [[nodiscard]] bool in_frame() const { return decoder_.in_frame(); }

private:
    FrameDecoder decoder_;
    std::vector<Frame> frames_;
    bool open_ = false;
};

std::string header_of(std::string_view id, std::size_t size) {
    std::array<std::byte, kFrameHeaderSize> out{};
    encode_frame_header(out.data(), id_of(id), size);
    return to_hex(out);
}

TEST(V1Preamble, IsEncodedByteForByte) {
    const std::pair<std::int32_t, std::string_view> vectors[] = {
        {5011, "0000931300000000"}, {5111, "0000f71300000000"}, {14333, "0000fd3700000000"},
        {1, "0000010000000000"},    {-1, "0000ffffffff0000"},   {2147483647, "0000ffffff7f0000"},
    };
    for (const auto& [key, hex] : vectors) {
        EXPECT_EQ(to_hex(encode_preamble(key)), hex);
        PreambleDecoder decoder;
        const auto bytes = from_hex(hex);
        ByteSpan in = bytes;
        EXPECT_EQ(decoder.next(in), key);
    }
}

TEST(V1Preamble, FlagsAndReservedLengthAreIgnored) {
    PreambleDecoder decoder;
    const auto bytes = from_hex("ffff93130000ffff");
    ByteSpan in = bytes;
    EXPECT_EQ(decoder.next(in), 5011);
    EXPECT_TRUE(in.empty());
}

TEST(V1Preamble, IsCollectedFromAnyChunkingAndTakesNoByteBehindIt) {
    const auto bytes = from_hex("0000931300000000" + kId);
    for (std::size_t split = 0; split <= bytes.size(); ++split) {
        PreambleDecoder decoder;
        ByteSpan first{bytes.data(), split};
        ByteSpan second{bytes.data() + split, bytes.size() - split};
        auto key = decoder.next(first);
        EXPECT_EQ(key.has_value(), split >= kPreambleSize);
        EXPECT_EQ(first.size(), split >= kPreambleSize ? split - kPreambleSize : 0);
        if (!key) key = decoder.next(second);
        EXPECT_EQ(key, 5011);
        EXPECT_EQ(first.size() + second.size(), kId.size() / 2);
    }
}

TEST(V1ConnectionId, IsShownInDisplayOrder) {
    EXPECT_EQ(id_of(kId).to_string(), "00112233445566778899aabbccddeeff");
    EXPECT_EQ(id_of(kOtherId).to_string(), "00000001000200030405060708090a0b");
}

TEST(V1ConnectionId, RandomOnesAreVersion4GuidsAndDiffer) {
    std::set<ConnectionId> ordered;
    std::unordered_set<ConnectionId> hashed;
    for (int i = 0; i < 200; ++i) {
        const ConnectionId id = ConnectionId::random();
        const std::string shown = id.to_string();
        EXPECT_EQ(shown[12], '4') << shown;
        EXPECT_NE(std::string_view("89ab").find(shown[16]), std::string_view::npos) << shown;
        EXPECT_TRUE(ordered.insert(id).second);
        EXPECT_TRUE(hashed.insert(id).second);
    }
}

TEST(V1Frame, HeadersAreEncodedByteForByte) {
    EXPECT_EQ(header_of(kId, 5), kId + "0500");
    EXPECT_EQ(header_of(kId, kMaxSentPayload), kId + "eeff");
    EXPECT_EQ(header_of(kId, 65535), kId + "ffff");
    EXPECT_EQ(header_of(kOtherId, 2), kOtherId + "0200");
}

TEST(V1Frame, TwoFramesOfOneMessageDecodeAtEverySplit) {
    const auto bytes = from_hex(kId + "050068656c6c6f" + kOtherId + "02004849");
    for (std::size_t a = 0; a <= bytes.size(); ++a) {
        for (std::size_t b = a; b <= bytes.size(); ++b) {
            Collector collector;
            collector.feed({bytes.data(), a});
            collector.feed({bytes.data() + a, b - a});
            collector.feed({bytes.data() + b, bytes.size() - b});
            ASSERT_THAT(collector.frames(), ElementsAre(Frame{kId, "hello"}, Frame{kOtherId, "HI"}))
                << a << ' ' << b;
            EXPECT_FALSE(collector.in_frame());
        }
    }
}

TEST(V1Frame, OneByteAtATimeDecodesTheSame) {
    const auto bytes = from_hex(kId + "050068656c6c6f" + kOtherId + "02004849");
    Collector collector;
    for (const auto& byte : bytes) collector.feed({&byte, 1});
    EXPECT_THAT(collector.frames(), ElementsAre(Frame{kId, "hello"}, Frame{kOtherId, "HI"}));
}

TEST(V1Frame, AChannelsFirstBytesDecodeAtEverySplit) {
    const auto bytes = from_hex("0000931300000000" + kId + "050068656c6c6f");
    for (std::size_t split = 0; split <= bytes.size(); ++split) {
        PreambleDecoder preamble;
        Collector collector;
        std::optional<std::int32_t> key;
        for (ByteSpan in : {ByteSpan{bytes.data(), split},
                            ByteSpan{bytes.data() + split, bytes.size() - split}}) {
            if (!key) key = preamble.next(in);
            if (key) collector.feed(in);
        }
        EXPECT_EQ(key, 5011);
        EXPECT_THAT(collector.frames(), ElementsAre(Frame{kId, "hello"}));
    }
}

TEST(V1Frame, AnEmptyFrameIsOneEmptyPiece) {
    const auto bytes = from_hex(kId + "0000" + kId + "0000" + kOtherId + "010041");
    Collector collector;
    collector.feed(bytes);
    EXPECT_THAT(collector.frames(),
                ElementsAre(Frame{kId, ""}, Frame{kId, ""}, Frame{kOtherId, "A"}));
    EXPECT_FALSE(collector.in_frame());
}

TEST(V1Frame, TheLongestFrameDecodesWholeByteByByteAndInRandomChunks) {
    for (const std::size_t size : {kMaxSentPayload, std::size_t{65535}}) {
        auto bytes = from_hex(header_of(kId, size));
        std::string payload;
        for (std::size_t i = 0; i < size; ++i) payload.push_back(static_cast<char>(i * 7 % 251));
        bytes.insert(bytes.end(), as_bytes(payload).begin(), as_bytes(payload).end());

        std::mt19937 random{20};
        for (const std::size_t largest : {bytes.size(), std::size_t{1}, std::size_t{5000}}) {
            Collector collector;
            for (ByteSpan rest = bytes; !rest.empty();) {
                const std::size_t wanted = largest == 5000 ? 1 + random() % largest : largest;
                const std::size_t n = std::min(wanted, rest.size());
                collector.feed(rest.first(n));
                rest = rest.subspan(n);
            }
            ASSERT_EQ(collector.frames().size(), 1U);
            EXPECT_TRUE(collector.frames()[0] == (Frame{kId, payload}));
        }
    }
}

TEST(V1Frame, KnowsThatAFrameIsCutOff) {
    const auto bytes = from_hex(kId + "050068656c6c6f");
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        Collector collector;
        collector.feed({bytes.data(), size});
        EXPECT_EQ(collector.in_frame(), size != 0 && size != bytes.size()) << size;
    }
}

}  // namespace
}  // namespace hpb::v1
