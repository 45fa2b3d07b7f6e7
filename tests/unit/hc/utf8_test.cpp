#include "hc/utf8.hpp"

#include <gtest/gtest.h>

namespace hpb::hc {
namespace {

TEST(Utf8, KnowsWhatIsWellFormed) {
    for (const auto* yes : {"", "abc", "\xc3\xb8", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                            "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
        EXPECT_TRUE(is_utf8(yes)) << yes;
    }
    for (const auto* no : {"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
                           "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82",
                           "\xff", "a\xf8z"}) {
        EXPECT_FALSE(is_utf8(no));
    }
}

TEST(Utf8, CleansControlsAndReadsTheRestAsLatin1) {
    EXPECT_EQ(to_clean_utf8("a\r\n\tb\x7f"), "a   b ");
    EXPECT_EQ(to_clean_utf8("\xc3\xb8"), "\xc3\xb8");
    EXPECT_EQ(to_clean_utf8("\xf8x\xc3\xb8"), "\xc3\xb8x\xc3\x83\xc2\xb8");
}

}  // namespace
}  // namespace hpb::hc
