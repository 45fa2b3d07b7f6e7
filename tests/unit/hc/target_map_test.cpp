#include "hc/target_map.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hc/sas_token.hpp"

namespace hpb::hc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string error_of(std::string_view metadata) {
    const auto result = parse_user_metadata(metadata, "hyco");
    if (result) return "accepted";
    EXPECT_EQ(result.error().code(), make_error_code(errc::malformed_metadata));
    return result.error().message();
}

TEST(Target, AcceptsEveryForm) {
    EXPECT_EQ(parse_target("tcp:localhost:5011", "e").value(), (TargetAddress{"localhost", 5011}));
    EXPECT_EQ(parse_target("10.0.0.1:22", "e").value(), (TargetAddress{"10.0.0.1", 22}));
    EXPECT_EQ(parse_target("[::1]:22", "e").value(), (TargetAddress{"::1", 22}));
    EXPECT_EQ(parse_target(" tcp:[fe80::1]:22 ", "e").value(), (TargetAddress{"fe80::1", 22}));
    EXPECT_EQ(parse_target("tcp:$(e).lan.$(e):1", "web").value(),
              (TargetAddress{"web.lan.web", 1}));
    EXPECT_EQ(parse_target("tcp::host::65535:", "e").value(), (TargetAddress{"host", 65535}));
}

TEST(Target, RefusesOthers) {
    for (const auto* text :
         {"",           "tcp",       "tcp:",    "tcp:host",   "host",       ":1",     "host:0",
          "host:65536", "host:-1",   "host:x",  "udp:host:1", "TCP:host:1", "::1:22", "[::1]",
          "[::1]22",    "[host]:22", "ho st:1", "a/b:1",      "host:1:2",   "$(x):1"}) {
        const auto target = parse_target(text, "e");
        ASSERT_FALSE(target) << text;
        EXPECT_EQ(target.error().code(), make_error_code(errc::malformed_address));
    }
    EXPECT_FALSE(parse_target("tcp:$(e):1", "a/b"));
}

TEST(Target, IsWrittenWithBracketsWhereNeeded) {
    EXPECT_EQ((TargetAddress{"h", 1}).to_string(), "h:1");
    EXPECT_EQ((TargetAddress{"::1", 22}).to_string(), "[::1]:22");
}

TEST(UserMetadata, ReadsTheExistingBridgesForm) {
    const auto map = parse_user_metadata(
        R"([{"key":"5011","value":"tcp:localhost:5011"},{"key":5012,"value":"tcp:$(e):5011"},
            {"key":" -7 ","value":"tcp:h:1","more":{}},{"Key":"+8","Value":"tcp:h:2"}])",
        "hyco");
    ASSERT_TRUE(map) << map.error().message();
    EXPECT_THAT(*map, ElementsAre(Pair(-7, TargetAddress{"h", 1}), Pair(8, TargetAddress{"h", 2}),
                                  Pair(5011, TargetAddress{"localhost", 5011}),
                                  Pair(5012, TargetAddress{"hyco", 5011})));
}

TEST(UserMetadata, SkipsKeysThatAreNoIntegersWhateverTheirValue) {
    const auto map = parse_user_metadata(
        R"([{"key":"description","value":"my bridge"},{"key":"5.5","value":7},
            {"key":"2147483648","value":"x"},{"key":1.5,"value":"x"},{"key":"+-1","value":"x"},
            {"key":["a"],"value":"x"},{"key":"1","value":"tcp:h:1"}])",
        "hyco");
    ASSERT_TRUE(map) << map.error().message();
    EXPECT_THAT(*map, ElementsAre(Pair(1, TargetAddress{"h", 1})));
}

TEST(UserMetadata, TheLastDuplicateWins) {
    const auto map = parse_user_metadata(
        R"([{"key":"1","value":"tcp:a:1"},{"key":1,"value":"tcp:b:2"}])", "hyco");
    EXPECT_THAT(*map, ElementsAre(Pair(1, TargetAddress{"b", 2})));
}

/// D10: as Newtonsoft.Json reads it, which is what the existing bridge uses.
TEST(UserMetadata, IsReadAsTheExistingBridgeReadsIt) {
    const TargetMap one = {{5011, {"h", 1}}};
    for (const auto* text :
         {"[{'key':'5011','value':'tcp:h:1'}]", "[{key:'5011',value:\"tcp:h:1\"}]",
          "[{key:5011,value:'tcp:h:1'}]", "[{key:5011,value:'tcp:h:1',},]",
          "// a note\n[ /* one */ {key: // number\n 5011, 'value' : 'tcp:h:1' /**/ } ] // end",
          "[{key:0x1393,value:'tcp:h:1'}]", "[{key:011623,value:'tcp:h:1'}]",
          "[{key:5011.0,value:'tcp:h:1'}]", "[{key:'5011',value:'tcp:h:1',more:[undefined,NaN]}]",
          "\xef\xbb\xbf[{key:5011,\xc2\xa0value:'tcp:h:1'}]\r\n",
          "[{key:null,value:'x'},{key:true,value:'x'},{key:5011,value:'tcp:h:1'}]",
          R"([{"key":"5011","value":"tcp:\u0068:1","key":"7","key":"5011"}])"}) {
        const auto map = parse_user_metadata(text, "hyco");
        ASSERT_TRUE(map) << text << ": " << map.error().message();
        EXPECT_EQ(*map, one) << text;
    }
}

/// D10: what nobody can read is an error that says where, and what to write.
TEST(UserMetadata, SaysWhereItCannotBeRead) {
    EXPECT_THAT(error_of("[{key:5011,\n value:tcp:h:1}]"),
                HasSubstr("line 2, column 8: text needs quotes"));
    EXPECT_THAT(error_of("[{\\\"key\\\":1}]"), HasSubstr("column 3: expected a name"));
    EXPECT_THAT(error_of("[{\xe2\x80\x9ckey\xe2\x80\x9d:1}]"), HasSubstr("typographic quotes"));
    EXPECT_THAT(error_of("[{'key' 1}]"), HasSubstr("expected ':' after 'key'; not '1'"));
    EXPECT_THAT(error_of("[{key:1 value:2}]"), HasSubstr("expected ',' or '}'; not 'v'"));
    EXPECT_THAT(error_of("[{key:1,value:'tcp:h:1}]"), HasSubstr("has no end"));
    EXPECT_THAT(error_of("[{key:08}]"), HasSubstr("'08' is not a number"));
    EXPECT_THAT(error_of("[{key:1"), HasSubstr("the text ends here"));
    EXPECT_THAT(error_of("[] []"), HasSubstr("more after the end"));
    EXPECT_THAT(error_of("[] /* "), HasSubstr("a comment has no end"));
    EXPECT_THAT(error_of("[{'k\\q':1}]"), HasSubstr("written twice"));
    EXPECT_THAT(error_of(std::string(1000, '[')), HasSubstr("nested too deeply"));
    EXPECT_THAT(error_of("[,{key:1}]"), HasSubstr("expected a value"));
    EXPECT_THAT(error_of("['\xff']"), HasSubstr("not UTF-8"));
}

TEST(UserMetadata, SaysWhichItemIsWrong) {
    EXPECT_THAT(error_of(R"([{"key":"1","value":"tcp:a:1"},{"key":"2","value":"tcp:a"}])"),
                HasSubstr("item 2: key 2: target 'tcp:a'"));
    EXPECT_THAT(error_of(R"([{"value":"tcp:a:1"}])"), HasSubstr("item 1: 'key' is missing"));
    EXPECT_THAT(error_of(R"([{"key":"1"}])"), HasSubstr("'value' is missing"));
    EXPECT_THAT(error_of(R"([{"key":"1","value":null}])"), HasSubstr("'value' is missing"));
    EXPECT_THAT(error_of(R"([{"key":"1","value":5}])"), HasSubstr("key 1 is not a string"));
    EXPECT_THAT(error_of(R"(["1"])"), HasSubstr("item 1: expected an object"));
}

TEST(UserMetadata, RefusesWhatHoldsNoTarget) {
    for (const auto* text :
         {"", "  ", "null", "{}", "[]", "demo", "[{]", R"([{"key":"a","value":"b"}])"}) {
        EXPECT_NE(error_of(text), "accepted") << text;
    }
    const auto large = parse_user_metadata(std::string(100'000, ' ') + "[]", "hyco");
    EXPECT_FALSE(large);
}

}  // namespace
}  // namespace hpb::hc
