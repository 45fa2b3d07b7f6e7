#include "base/text.hpp"

#include <gmock/gmock.h>

#include <array>
#include <limits>

namespace hpb {
namespace {

using ::testing::ElementsAre;

/// F8
TEST(Text, ByteOrderMarksAndUtf16) {
    using namespace std::string_view_literals;
    EXPECT_EQ(without_byte_order_mark("\xef\xbb\xbf"
                                      "a"),
              "a");
    EXPECT_EQ(without_byte_order_mark("a"), "a");
    for (const auto text : {"\xff\xfe"sv, "\xfe\xff\0a"sv, "a\0b\0"sv, "\0a\0b"sv}) {
        EXPECT_TRUE(is_utf16(text));
    }
    for (const auto text : {""sv, "a"sv, "ab"sv, "\0"sv, "\0\0"sv, "\xef\xbb\xbf"sv}) {
        EXPECT_FALSE(is_utf16(text));
    }
}

TEST(Text, ComparesAsciiWithoutCaseAndNothingElse) {
    EXPECT_TRUE(iequals("Content-Length", "cONTENT-lENGTH"));
    EXPECT_TRUE(iequals("", ""));
    EXPECT_FALSE(iequals("abc", "abcd"));
    EXPECT_FALSE(iequals("[", "{"));  // 0x5b and 0x7b differ in the case bit but are no letters
    EXPECT_FALSE(iequals("\xc3\x84", "\xc3\xa4"));
}

TEST(Text, FindsPrefixesWithoutCase) {
    EXPECT_TRUE(istarts_with("Bearer abc", "bearer "));
    EXPECT_TRUE(istarts_with("x", ""));
    EXPECT_FALSE(istarts_with("be", "bearer"));
}

TEST(Text, LowersAsciiOnly) {
    EXPECT_EQ(to_lower("AbZ@[\xc3\x84"), "abz@[\xc3\x84");
}

TEST(Text, TrimsBothEnds) {
    EXPECT_EQ(trim(" \t a b \r\n"), "a b");
    EXPECT_EQ(trim("a"), "a");
    EXPECT_EQ(trim(" \t "), "");
    EXPECT_EQ(trim(""), "");
}

TEST(Text, SplitKeepsEmptyPieces) {
    EXPECT_THAT(split("a,b", ','), ElementsAre("a", "b"));
    EXPECT_THAT(split(",a,", ','), ElementsAre("", "a", ""));
    EXPECT_THAT(split("", ','), ElementsAre(""));
}

TEST(Text, PrintableHidesWhatWouldBreakALogLine) {
    using namespace std::string_view_literals;
    EXPECT_EQ(printable("a\r\nb\0c\x1b[0m\x7f\xc3\xa4"sv), "a??b?c?[0m???");
    EXPECT_EQ(printable(" ~"), " ~");
    EXPECT_EQ(printable("abcdef", 4), "abcd");
    EXPECT_EQ(printable(std::string(10'000, 'x')).size(), 512U);
}

TEST(Text, ParsesWholeDecimalNumbersOnly) {
    EXPECT_EQ(parse_int("0"), 0);
    EXPECT_EQ(parse_int("-42"), -42);
    EXPECT_EQ(parse_int("9223372036854775807"), std::numeric_limits<long long>::max());
    EXPECT_EQ(parse_int("-9223372036854775808"), std::numeric_limits<long long>::min());
    for (const auto* bad :
         {"", "-", "+1", " 1", "1 ", "1x", "0x10", "1.0", "9223372036854775808"}) {
        EXPECT_EQ(parse_int(bad), std::nullopt) << bad;
    }
}

TEST(Text,
     KnowsWellFormedUtf8) {  // RFC 3629; the edges of each length are in the Close payload's tests
    EXPECT_TRUE(is_utf8(""));
    EXPECT_TRUE(is_utf8("plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"));
    EXPECT_FALSE(is_utf8("\xc3"));
    EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
    EXPECT_FALSE(is_utf8("\xc0\x80"));
}

constexpr std::array<std::string_view, 4> kKeys = {"RelayChannelCount", "BindToAddress",
                                                   "RemoteTcpPort", "Proxy"};

TEST(Text, SuggestsTheNearestName) {
    EXPECT_EQ(nearest("RelayChanelCount", kKeys), "RelayChannelCount");
    EXPECT_EQ(nearest("bindtoadress", kKeys), "BindToAddress");
    EXPECT_EQ(nearest("Prxoy", kKeys), "Proxy");  // two neighbours swapped
    EXPECT_EQ(nearest("Proxy", kKeys), "Proxy");
}

TEST(Text, SuggestsNothingWhenNothingIsNear) {
    EXPECT_EQ(nearest("Kerberos", kKeys), "");
    EXPECT_EQ(nearest("", kKeys), "");
    EXPECT_EQ(nearest("Proxy", {}), "");
}

TEST(Text, SuggestsNothingThatSharesNoLetterWithAShortWord) {
    constexpr std::array<std::string_view, 2> kShort = {"ca", "id"};
    EXPECT_EQ(nearest("x", kShort), "");
    EXPECT_EQ(nearest("xy", kShort), "");
    EXPECT_EQ(nearest("cx", kShort), "ca");
}

}  // namespace
}  // namespace hpb
