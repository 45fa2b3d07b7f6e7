#include "hc/percent.hpp"

#include <gtest/gtest.h>

namespace hpb::hc {
namespace {

TEST(Percent, FormEncodingKeepsWhatDotNetKeeps) {
    EXPECT_EQ(form_encode("aZ09-_.!*()"), "aZ09-_.!*()");
    EXPECT_EQ(form_encode("a b+c~'/%"), "a+b%2Bc%7E%27%2F%25");
    EXPECT_EQ(form_encode("\xd0\xba\n"), "%D0%BA%0A");
    EXPECT_EQ(form_encode(""), "");
}

TEST(Percent, PercentEncodingKeepsTheUnreserved) {
    EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
    EXPECT_EQ(percent_encode("a b+=&!"), "a%20b%2B%3D%26%21");
    EXPECT_EQ(percent_encode("a/b c", "/"), "a/b%20c");
}

TEST(Percent, DecodesBothHexCases) {
    EXPECT_EQ(percent_decode("%2f%2F+x", Plus::literal), "//+x");
    EXPECT_EQ(percent_decode("a+b%2B", Plus::is_space), "a b+");
    EXPECT_EQ(percent_decode("%00", Plus::literal), std::string(1, '\0'));
}

TEST(Percent, RefusesBrokenEscapes) {
    for (const auto* text : {"%", "%2", "a%", "%g0", "%0g", "%%20", "% 1", "%+1"}) {
        EXPECT_EQ(percent_decode(text, Plus::literal), std::nullopt) << text;
    }
}

TEST(Percent, EveryByteSurvivesTheRoundTrip) {
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    EXPECT_EQ(percent_decode(form_encode(all), Plus::is_space), all);
    EXPECT_EQ(percent_decode(percent_encode(all), Plus::literal), all);
}

}  // namespace
}  // namespace hpb::hc
