#include "websocket/frame.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/bytes_text.hpp"
#include "unit/websocket/collector.hpp"

namespace hpb::websocket {
namespace {

using test::from_hex;
using test::to_hex;

constexpr MaskKey kKey = {std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}};

std::string header_hex(const FrameHeader& header) {
    std::array<std::byte, kMaxHeaderSize> out{};
    const std::size_t size = encode_header(out.data(), header);
    EXPECT_EQ(size, header_size(header.length, header.masked));
    return to_hex(ByteSpan{out.data(), size});
}

TEST(FrameHeader, IsWrittenInItsShortestForm) {
    const auto binary = [](std::uint64_t length) { return header_hex({.length = length}); };
    EXPECT_EQ(binary(0), "8200");
    EXPECT_EQ(binary(125), "827d");
    EXPECT_EQ(binary(126), "827e007e");
    EXPECT_EQ(binary(256), "827e0100");  // RFC 6455 section 5.7
    EXPECT_EQ(binary(65535), "827effff");
    EXPECT_EQ(binary(65536), "827f0000000000010000");  // RFC 6455 section 5.7
    EXPECT_EQ(header_hex({.fin = false, .opcode = Opcode::text, .length = 3}), "0103");
    EXPECT_EQ(header_hex({.masked = true, .mask = kKey, .length = 65536}),
              "82ff000000000001000037fa213d");
}

TEST(EncodeControl, WritesTheExamplesOfTheStandard) {  // RFC 6455 section 5.7
    const auto hello = as_bytes("Hello");
    EXPECT_EQ(to_hex(as_bytes(encode_control(Opcode::ping, hello, Role::server, {}))),
              "890548656c6c6f");
    EXPECT_EQ(to_hex(as_bytes(encode_control(Opcode::pong, hello, Role::client, kKey))),
              "8a8537fa213d7f9f4d5158");
    EXPECT_EQ(to_hex(as_bytes(encode_control(Opcode::close, {}, Role::server, {}))), "8800");
}

TEST(EncodeControl, CutsWhatDoesNotFit) {
    const std::string frame =
        encode_control(Opcode::ping, as_bytes(std::string(200, 'x')), Role::server, {});
    EXPECT_EQ(frame.size(), 2 + kMaxControlPayload);
    EXPECT_EQ(frame[1], 125);
}

TEST(Masking, IsItsOwnInverseAtEveryOffsetAndLength) {
    std::string plain(70, '\0');
    for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = static_cast<char>(i * 37);
    for (std::uint64_t offset = 0; offset < 9; ++offset) {
        for (std::size_t size = 0; size <= plain.size(); ++size) {
            std::vector<std::byte> data(size);
            std::copy_n(as_bytes(plain).begin(), size, data.begin());
            apply_mask(data, kKey, offset);
            for (std::size_t i = 0; i < size; ++i) {
                ASSERT_EQ(data[i], as_bytes(plain)[i] ^ kKey[(offset + i) % 4]);
            }
            apply_mask(data, kKey, offset);
            ASSERT_TRUE(std::ranges::equal(data, as_bytes(plain).first(size)));
        }
    }
}

TEST(Masking, CopiesOntoMemoryThatLiesBeforeTheSource) {
    for (std::size_t distance = 0; distance <= 20; ++distance) {
        for (std::size_t size = 0; size <= 64; ++size) {
            std::vector<std::byte> memory(distance + size);
            for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<std::byte>(i);
            std::vector<std::byte> expected(memory.begin() + static_cast<std::ptrdiff_t>(distance),
                                            memory.end());
            apply_mask(expected, kKey, 3);
            copy_masked(memory.data(), ByteSpan{memory}.subspan(distance), kKey, 3);
            ASSERT_TRUE(std::equal(expected.begin(), expected.end(), memory.begin()))
                << distance << ' ' << size;
        }
    }
}

TEST(ClosePayload, IsEncodedWithCodeAndReason) {
    EXPECT_EQ(encode_close_payload(0, "ignored"), "");
    EXPECT_EQ(to_hex(as_bytes(encode_close_payload(1000, "ok"))), "03e86f6b");
}

TEST(ClosePayload, CutsALongReasonBetweenCharacters) {
    EXPECT_EQ(encode_close_payload(1000, std::string(200, 'x')).size(), 125U);
    const std::string reason =
        std::string(122, 'x') + "\xc3\xa4";  // the cut would split the letter
    EXPECT_EQ(encode_close_payload(1000, reason).substr(2), std::string(122, 'x'));
    EXPECT_EQ(encode_close_payload(1000, std::string(120, 'x') + "\xe2\x82\xac").size(), 125U);
    EXPECT_EQ(encode_close_payload(1000, std::string(200, '\x80')).size(), 2U);  // no edge at all
}

TEST(ClosePayload, IsParsed) {
    const auto none = parse_close_payload({});
    ASSERT_TRUE(none);
    EXPECT_EQ(none->code, 0);
    const auto away = parse_close_payload(as_bytes("\x03\xe9gone \xe2\x82\xac"));
    ASSERT_TRUE(away);
    EXPECT_EQ(away->code, 1001);
    EXPECT_EQ(away->reason, "gone \xe2\x82\xac");
}

TEST(ClosePayload, HalfACodeIsAnError) {
    const auto parsed = parse_close_payload(as_bytes("\x03"));
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code(), errc::bad_close_payload);
    EXPECT_EQ(close_code_for(parsed.error()), 1002);
}

TEST(ClosePayload, OnlyCodesThatMayStandOnTheWireAreTaken) {  // RFC 6455 section 7.4
    const auto valid = [](unsigned code) {
        return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
               (code >= 3000 && code <= 4999);
    };
    for (unsigned code = 0; code <= 0xffff; ++code) {
        std::array<std::byte, 2> payload{};
        store_be(payload.data(), static_cast<std::uint16_t>(code));
        EXPECT_EQ(parse_close_payload(payload).has_value(), valid(code)) << code;
    }
}

TEST(ClosePayload, AReasonHasToBeUtf8) {  // RFC 6455 sections 5.5.1 and 8.1
    const std::string code = "\x03\xe8";
    for (const std::string good :
         {"", "plain", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf",
          "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
        EXPECT_TRUE(parse_close_payload(as_bytes(code + good))) << to_hex(as_bytes(good));
    }
    for (const std::string bad :
         {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe2\x82", "\xe0\x9f\xbf", "\xed\xa0\x80",
          "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xff", "\xc3(",
          "\xf0\x9f\x98"}) {
        const auto parsed = parse_close_payload(as_bytes(code + bad));
        ASSERT_FALSE(parsed) << to_hex(as_bytes(bad));
        EXPECT_EQ(parsed.error().code(), errc::bad_close_payload);
    }
}

TEST(Errors, HaveWordsAndACloseCode) {
    for (int value = 1; value <= static_cast<int>(errc::handshake_refused); ++value) {
        const Error error{make_error_code(static_cast<errc>(value))};
        EXPECT_NE(error.message(), "unknown WebSocket error") << value;
        EXPECT_EQ(close_code_for(error), error.code() == errc::message_too_large ? 1009 : 1002);
    }
}

// What the standard shows and allows, decoded whole, byte by byte and in random chunks.
struct Case {
    std::string_view what;
    std::string hex;
    Role self;
    std::vector<Item> items;
    std::optional<errc> error = std::nullopt;
};

std::string repeat(std::string_view text, std::size_t times) {
    std::string out;
    while (times-- > 0) out += text;
    return out;
}

std::vector<Case> cases() {
    const auto data = [](std::string text) { return Item{Opcode::binary, std::move(text)}; };
    const Item hello{Opcode::text, "Hello"};
    const auto client = Role::client;
    const auto server = Role::server;
    return {
        // RFC 6455 section 5.7
        {"unmasked text", "810548656c6c6f", client, {hello}},
        {"masked text", "818537fa213d7f9f4d5158", server, {hello}},
        {"fragmented text", "010348656c 80026c6f", client, {hello}},
        {"ping", "890548656c6c6f", client, {{Opcode::ping, "Hello"}}},
        {"masked pong", "8a8537fa213d7f9f4d5158", server, {{Opcode::pong, "Hello"}}},
        {"256 bytes", "827e0100" + repeat("41", 256), client, {data(std::string(256, 'A'))}},
        {"64 KiB",
         "827f0000000000010000" + repeat("41", 65536),
         client,
         {data(std::string(65536, 'A'))}},
        // What else is legal
        {"empty message", "8200", client, {data("")}},
        {"masked empty message", "828037fa213d", server, {data("")}},
        {"empty fragments", "0200 0000 000141 0000 8000", client, {data("A")}},
        {"control frame inside a message",
         "020141 8900 800142",
         client,
         {{Opcode::ping, ""}, data("AB")}},
        {"125 bytes of ping",
         "897d" + repeat("41", 125),
         client,
         {{Opcode::ping, std::string(125, 'A')}}},
        {"two messages", "820141 810142", client, {data("A"), {Opcode::text, "B"}}},
        {"126 bytes", "827e007e" + repeat("41", 126), client, {data(std::string(126, 'A'))}},
        {"truncated header", "827e01", client, {}},
        {"truncated payload", "82054142", client, {}},
        // What is not
        {"RSV1", "c20141", client, {}, errc::reserved_bits},
        {"RSV2", "a20141", client, {}, errc::reserved_bits},
        {"RSV3 on a later frame", "820141 920141", client, {data("A")}, errc::reserved_bits},
        {"opcode 3", "830141", client, {}, errc::unknown_opcode},
        {"opcode 7", "870141", client, {}, errc::unknown_opcode},
        {"opcode 11", "8b0141", client, {}, errc::unknown_opcode},
        {"opcode 15", "8f0141", client, {}, errc::unknown_opcode},
        {"server sends masked", "828137fa213d76", client, {}, errc::bad_masking},
        {"client sends unmasked", "820141", server, {}, errc::bad_masking},
        {"125 in 16 bits", "827e007d", client, {}, errc::bad_length},
        {"65535 in 64 bits", "827f000000000000ffff", client, {}, errc::bad_length},
        {"high bit of the length", "827f8000000000000000", client, {}, errc::bad_length},
        {"continuation of nothing", "800141", client, {}, errc::bad_fragmentation},
        {"continuation after the end",
         "820141 800141",
         client,
         {data("A")},
         errc::bad_fragmentation},
        {"new message inside one", "020141 820142", client, {}, errc::bad_fragmentation},
        {"fragmented ping", "090141", client, {}, errc::bad_control_frame},
        {"126 bytes of close", "887e007e", client, {}, errc::bad_control_frame},
    };
}

TEST(Decoder, GivesTheSameInAnyChunking) {
    for (const auto& c : cases()) {
        for (const auto chunking : {Chunking::whole, Chunking::byte_by_byte, Chunking::random}) {
            SCOPED_TRACE(std::string(c.what) + ", chunking " +
                         std::to_string(static_cast<int>(chunking)));
            const Collected got = decode(from_hex(c.hex), c.self, chunking, 7);
            EXPECT_EQ(got.error, c.error ? std::optional(make_error_code(*c.error)) : std::nullopt);
            EXPECT_TRUE(got.items == c.items);
            EXPECT_TRUE(got.consistent);
        }
    }
}

TEST(Decoder, AnErrorIsFinal) {
    Decoder decoder{Role::client};
    auto bytes = from_hex("800141 820141");
    MutableByteSpan in = bytes;
    ASSERT_FALSE(decoder.next(in));
    const auto again = decoder.next(in);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), errc::bad_fragmentation);
}

TEST(Decoder, DataIsUnmaskedInPlaceAndGivenOutBeforeTheFrameIsComplete) {
    Decoder decoder{Role::server};
    auto bytes = from_hex("818537fa213d7f9f");
    MutableByteSpan in = bytes;
    const auto piece = decoder.next(in);
    ASSERT_TRUE(piece);
    EXPECT_EQ(piece->kind, Decoder::Kind::data);
    EXPECT_EQ(piece->payload.data(), bytes.data() + 6);
    EXPECT_EQ(as_text(piece->payload), "He");
    EXPECT_TRUE(piece->message_start);
    EXPECT_FALSE(piece->message_end);
    EXPECT_TRUE(decoder.in_message());

    auto rest = from_hex("4d5158");
    in = rest;
    const auto end = decoder.next(in);
    ASSERT_TRUE(end);
    EXPECT_EQ(as_text(end->payload), "llo");
    EXPECT_FALSE(end->message_start);
    EXPECT_TRUE(end->message_end);
    EXPECT_FALSE(decoder.in_message());
}

TEST(Decoder, AHugeAnnouncedLengthCostsNothing) {
    Decoder decoder{Role::client};
    auto bytes = from_hex("827f7fffffffffffffff414243");
    MutableByteSpan in = bytes;
    const auto piece = decoder.next(in);
    ASSERT_TRUE(piece);
    EXPECT_EQ(as_text(piece->payload), "ABC");
    EXPECT_FALSE(piece->message_end);
    EXPECT_EQ(decoder.next(in)->kind, Decoder::Kind::need_more);
}

}  // namespace
}  // namespace hpb::websocket
