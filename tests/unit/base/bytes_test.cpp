#include "base/bytes.hpp"

#include <gtest/gtest.h>

#include <array>

namespace hpb {
namespace {

TEST(Bytes, BigEndianHasTheHighByteFirst) {
    std::array<std::byte, 9> out{};
    store_be(out.data() + 1, std::uint64_t{0x0123456789abcdef});  // unaligned on purpose
    EXPECT_EQ(out[1], std::byte{0x01});
    EXPECT_EQ(out[8], std::byte{0xef});
    EXPECT_EQ(load_be<std::uint64_t>(out.data() + 1), 0x0123456789abcdefU);
    EXPECT_EQ(load_be<std::uint16_t>(out.data() + 1), 0x0123U);
    EXPECT_EQ(load_be<std::uint8_t>(out.data() + 8), 0xefU);
}

TEST(Bytes, LittleEndianHasTheLowByteFirst) {
    std::array<std::byte, 9> out{};
    store_le(out.data() + 1, std::uint32_t{0x01234567});
    EXPECT_EQ(out[1], std::byte{0x67});
    EXPECT_EQ(out[4], std::byte{0x01});
    EXPECT_EQ(load_le<std::uint32_t>(out.data() + 1), 0x01234567U);
    EXPECT_EQ(load_le<std::uint16_t>(out.data() + 1), 0x4567U);
}

TEST(Bytes, ExtremesSurviveTheRoundTrip) {
    std::array<std::byte, 8> out{};
    for (const std::uint64_t value : {0ULL, 1ULL, 0x80ULL, 0xffULL, ~0ULL, 1ULL << 63}) {
        store_be(out.data(), value);
        EXPECT_EQ(load_be<std::uint64_t>(out.data()), value);
        store_le(out.data(), value);
        EXPECT_EQ(load_le<std::uint64_t>(out.data()), value);
    }
    for (const std::int32_t value : {0, -1, -2147483647 - 1, 2147483647}) {
        store_be(out.data(), value);
        EXPECT_EQ(load_be<std::int32_t>(out.data()), value);
        store_le(out.data(), value);
        EXPECT_EQ(load_le<std::int32_t>(out.data()), value);
    }
}

TEST(Bytes, TextAndBytesAreViewsOfTheSameMemory) {
    const std::string_view text = "h\xff";
    EXPECT_EQ(as_bytes(text)[1], std::byte{0xff});
    EXPECT_EQ(as_text(as_bytes(text)).data(), text.data());
    EXPECT_EQ(as_text(as_bytes("")), "");
}

}  // namespace
}  // namespace hpb
