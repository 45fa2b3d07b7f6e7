#include "hc/json.hpp"

#include <gtest/gtest.h>

#include "hc/sas_token.hpp"

namespace hpb::hc {
namespace {

Result<boost::json::value> parse(std::string_view text, std::size_t max_size = 1000) {
    return parse_json(text, max_size, make_error_code(errc::malformed_message), "the message");
}

TEST(Json, IsBoundedInSizeAndNesting) {
    EXPECT_TRUE(parse("[1]", 3));
    EXPECT_EQ(parse("[11]", 3).error().code(), make_error_code(hpb::errc::limit_exceeded));
    EXPECT_TRUE(parse("[[[[[[[[1]]]]]]]]"));
    const auto deep = parse(std::string(400, '[') + std::string(400, ']'));
    EXPECT_EQ(deep.error().code(), make_error_code(errc::malformed_message));
}

TEST(Json, RefusesWhatIsNotStandard) {
    for (const auto* text : {"", "{", "{} x", "{'a':1}", "{\"a\":1,}", "[1] // c", "\"\xff\"",
                             "\"\\ud800\"", "nul", "\"a\nb\""}) {
        EXPECT_FALSE(parse(text)) << text;
    }
}

TEST(Json, ScalarsHaveText) {
    EXPECT_EQ(scalar_text(*parse("\"a\\/b\"")), "a/b");
    EXPECT_EQ(scalar_text(*parse("5")), "5");
    EXPECT_EQ(scalar_text(*parse("true")), "true");
    EXPECT_EQ(scalar_text(*parse("null")), "");
    EXPECT_EQ(scalar_text(*parse("[]")), std::nullopt);
    EXPECT_EQ(scalar_text(*parse("{}")), std::nullopt);
}

}  // namespace
}  // namespace hpb::hc
