#include "http/page_text.hpp"

#include <gtest/gtest.h>

namespace hpb::http {
namespace {

// F16: the first words of a page.
TEST(PageText, GivesTheWordsOfAPage) {
    EXPECT_EQ(page_text("<!DOCTYPE html><html><head><style>p { color: red }</style>"
                        "<script>if (a < b) x();</script><title>Blocked</title></head>"
                        "<!-- a <comment> --><body>\r\n<p>by the\t<b>policy</b></p></body>"),
              "Blocked by the policy");
    EXPECT_EQ(page_text("plain text, 1 < 2"), "plain text, 1 < 2");
    EXPECT_EQ(page_text(""), "");
    EXPECT_EQ(page_text("<script>never ends"), "");
    EXPECT_EQ(page_text("<p"), "");
    EXPECT_EQ(page_text("a\x1b[31mb\xff"), "a?[31mb?");
    EXPECT_EQ(page_text(std::string(5000, 'x')).size(), 120u);
}

}  // namespace
}  // namespace hpb::http
