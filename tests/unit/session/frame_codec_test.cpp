#include "session/frame_codec.hpp"

#include <gmock/gmock.h>

#include <random>

#include "support/bytes_text.hpp"

namespace hpb::session {
namespace {

using test::from_hex;
using test::to_hex;

struct Frame {
    FrameType type{};
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    std::uint64_t offset = 0;
    std::string body;
    bool operator==(const Frame&) const = default;
};

struct Decoded {
    std::vector<Frame> frames;
    errc error = errc::none;
    bool operator==(const Decoded&) const = default;
};

Decoded decode(ByteSpan wire, std::size_t largest, std::uint16_t max_frame = 65535) {
    Decoded out;
    FrameDecoder decoder{max_frame};
    std::minstd_rand random{7};
    while (!wire.empty()) {
        const std::size_t n = std::min<std::size_t>(1 + random() % largest, wire.size());
        ByteSpan in = wire.first(n);
        wire = wire.subspan(n);
        for (;;) {
            const auto piece = decoder.next(in);
            if (!piece) {
                out.error = static_cast<errc>(piece.error().code().value());
                return out;
            }
            if (!*piece) break;
            const FrameHeader& h = (*piece)->header;
            if (h.type != FrameType::data || (*piece)->begin) {
                out.frames.push_back({h.type, h.flags, h.stream.value, (*piece)->offset, {}});
            }
            out.frames.back().body += as_text((*piece)->body);
        }
        EXPECT_TRUE(in.empty());
    }
    return out;
}

// Each wire three times: whole, byte by byte, in random chunks.
Decoded decode_in_any_chunking(std::string_view hex, std::uint16_t max_frame = 65535) {
    const auto wire = from_hex(hex);
    const Decoded whole = decode(wire, 1 << 20, max_frame);
    EXPECT_EQ(decode(wire, 1, max_frame), whole);
    EXPECT_EQ(decode(wire, 9, max_frame), whole);
    return whole;
}

TEST(FrameDecoder, CutsFramesWhateverTheChunking) {
    const Decoded out = decode_in_any_chunking(
        "1301000b000000030000000000000010616263"  // DATA, FIN, stream 3 at 16: "abc"
        "1600000000000005"                        // CLOSED, stream 5
        "20000008000000000102030405060708");      // PING
    EXPECT_EQ(out.error, errc::none);
    ASSERT_EQ(out.frames.size(), 3U);
    EXPECT_EQ(out.frames[0], (Frame{FrameType::data, kFlagFin, 3, 16, "abc"}));
    EXPECT_EQ(out.frames[1], (Frame{FrameType::closed, 0, 5, 0, ""}));
    EXPECT_EQ(out.frames[2].type, FrameType::ping);
    EXPECT_EQ(out.frames[2].body.size(), 8U);
}

TEST(FrameDecoder, SkipsUnknownFramesThatMayBeSkipped) {
    const Decoded out = decode_in_any_chunking(
        "9f00000300000000aabbcc8000000000000000"
        "1600000000000005");
    EXPECT_EQ(out.error, errc::none);
    ASSERT_EQ(out.frames.size(), 1U);
    EXPECT_EQ(out.frames[0].type, FrameType::closed);
}

TEST(FrameDecoder, RefusesWhatCannotBe) {
    EXPECT_EQ(decode_in_any_chunking("1f00000000000001").error, errc::unknown_frame);
    EXPECT_EQ(decode_in_any_chunking("0000000000000000").error, errc::unknown_frame);
    EXPECT_EQ(decode_in_any_chunking("1300000700000001").error, errc::malformed_frame);
    EXPECT_EQ(decode_in_any_chunking("1300040100000001", 1024).error, errc::frame_too_large);
    EXPECT_EQ(decode_in_any_chunking("2000040100000000").error, errc::frame_too_large);
}

TEST(Frames, HaveTheDocumentedBytes) {
    ControlFrame ack = encode(StreamId{5}, AckFrame{0x10, 0x20});
    EXPECT_EQ(to_hex(ack.finish()),
              "1400001000000005"
              "0000000000000010"
              "0000000000000020");
    OpenFrame open;
    open.info.key = -2;
    open.info.source = {.family = 4, .address = {}, .port = 443};
    open.info.source.address[0] = std::byte{127};
    open.credit = 0x4000;
    EXPECT_EQ(to_hex(encode(StreamId{1}, open).finish()),
              "1000002000000001"
              "fffffffe"
              "0400"
              "01bb"
              "7f000000000000000000000000000000"
              "0000000000004000");
    ControlFrame refused = encode(FrameType::refused, StreamId{1}, 1, "no\nway");
    EXPECT_EQ(to_hex(refused.finish()),
              "1200000800000001"
              "0001"
              "6e6f3f776179");
    std::array<std::byte, kDataHeaderSize> data;
    encode_data_header(data.data(), StreamId{2}, 7, 3, true);
    EXPECT_EQ(to_hex(data),
              "1301000b00000002"
              "0000000000000007");
}

TEST(Frames, HelloComesBackAsItWas) {
    HelloFrame hello;
    hello.session.bytes.fill(std::byte{1});
    hello.channel = {0x0102030405060708};
    hello.resume = true;
    hello.nonce.fill(std::byte{2});
    hello.secret_or_proof.fill(std::byte{3});
    hello.parameters = {5000, 300000, 512, 32768, 65535};
    ControlFrame frame = encode(hello);
    const ByteSpan wire = frame.finish();
    EXPECT_EQ(wire.size(), 112U);
    const auto back = parse_hello(wire.subspan(kFrameHeaderSize));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->session, hello.session);
    EXPECT_EQ(back->channel, hello.channel);
    EXPECT_TRUE(back->resume);
    EXPECT_EQ(back->nonce, hello.nonce);
    EXPECT_EQ(back->secret_or_proof, hello.secret_or_proof);
    EXPECT_EQ(back->parameters, hello.parameters);
    for (std::size_t n = kFrameHeaderSize; n < wire.size(); ++n) {
        EXPECT_FALSE(parse_hello(wire.subspan(kFrameHeaderSize, n - kFrameHeaderSize)));
    }
    std::vector<std::byte> wrong{wire.begin() + kFrameHeaderSize, wire.end()};
    wrong[0] = std::byte{'x'};
    EXPECT_FALSE(parse_hello(wrong)) << "magic";
    wrong = {wire.begin() + kFrameHeaderSize, wire.end()};
    wrong[32] = std::byte{3};
    EXPECT_FALSE(parse_hello(wrong)) << "kind";
}

TEST(Frames, WelcomeAndRefusalsComeBackAsTheyWere) {
    WelcomeFrame welcome;
    welcome.nonce.fill(std::byte{4});
    welcome.proof.fill(std::byte{5});
    welcome.listener_id = std::string(200, 'l');
    ControlFrame wire = encode(welcome);
    const auto back = parse_welcome(wire.finish().subspan(kFrameHeaderSize));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->listener_id, std::string(kMaxListenerId, 'l'));
    EXPECT_EQ(back->proof, welcome.proof);

    RefusedHelloFrame refused;
    refused.code = HelloRefusal::version;
    refused.text = "too\x01new";
    ControlFrame no = encode(refused);
    const auto refused_back = parse_refused_hello(no.finish().subspan(kFrameHeaderSize));
    ASSERT_TRUE(refused_back.has_value());
    EXPECT_EQ(refused_back->code, HelloRefusal::version);
    EXPECT_EQ(refused_back->text, "too?new");
}

TEST(Frames, ShortPayloadsAreMalformed) {
    const auto bytes = from_hex("0000000000000000000000000000000000000000000000000000000000000000");
    EXPECT_TRUE(parse_open(bytes));
    EXPECT_FALSE(parse_open(ByteSpan{bytes}.first(31)));
    EXPECT_FALSE(parse_ack(ByteSpan{bytes}.first(15)));
    EXPECT_FALSE(parse_u64(ByteSpan{bytes}.first(7)));
    EXPECT_FALSE(parse_u32(ByteSpan{bytes}.first(3)));
    EXPECT_FALSE(parse_code_and_text(ByteSpan{bytes}.first(1)));
    EXPECT_FALSE(parse_refused_hello(ByteSpan{bytes}.first(5)));
    // What later versions add behind the known fields is none of our business.
    EXPECT_TRUE(parse_ack(bytes));
}

}  // namespace
}  // namespace hpb::session
