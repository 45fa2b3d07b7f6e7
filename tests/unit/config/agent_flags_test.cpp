// The texts of -L and -T.
#include "config/agent_config.hpp"

#include <gmock/gmock.h>

namespace hpb::config {
namespace {

using testing::HasSubstr;

TEST(MappingFlag, SaysWhatIsWrong) {
    for (const char* bad : {"", "simple", "5432", "5432:", "x:simple", "70000:simple", "-1:simple",
                            "example.com:1:simple", "1/x:simple", "1/99999999999:simple", "1: a"}) {
        const auto parsed = parse_mapping_flag(bad);
        ASSERT_FALSE(parsed.has_value()) << bad;
        EXPECT_THAT(parsed.error().message(), HasSubstr("[bind:]port[/key]:hybrid-connection"));
    }
}

// N6: what ssh would take is answered with what to write.
TEST(MappingFlag, N6AnswersTheFormOfSsh) {
    const auto message = [](std::string_view text) {
        const auto parsed = parse_mapping_flag(text);
        return parsed ? "taken" : parsed.error().message();
    };
    EXPECT_THAT(message("15432:localhost:5432"),
                HasSubstr("write -L 15432:NAME, and 'hpb service -T NAME/localhost:5432' there"));
    EXPECT_THAT(message("0.0.0.0:15432:db.local:5432"),
                HasSubstr("write -L 0.0.0.0:15432:NAME, and 'hpb service -T NAME/db.local:5432'"));
    EXPECT_THAT(message("15432:[::1]:5432"),
                HasSubstr("write -L 15432:NAME, and 'hpb service -T NAME/[::1]:5432'"));
    EXPECT_EQ(message("127.0.0.1:80:5432"), "taken");  // a hybrid connection of that name
    EXPECT_EQ(message("[::1]:80:5432"), "taken");
    EXPECT_EQ(message("::1:80:5432"), "taken");
}

// N5, N6: -T has the key behind the name and -L behind the port; the other order is no name.
TEST(MappingFlag, N6AKeyOnTheWrongSideIsNoName) {
    const auto parsed = parse_mapping_flag("25001:simple/5011");
    ASSERT_FALSE(parsed.has_value());
    EXPECT_EQ(parsed.error().message(),
              "'25001:simple/5011' has its key on the wrong side; write 25001/5011:simple for the "
              "key 5011, or 25001/0:simple/5011 if that is the name");
    EXPECT_EQ(parse_mapping_flag("25001/0:simple/5011")->entity, "simple/5011");
    EXPECT_EQ(parse_mapping_flag("25001:team/5x")->entity, "team/5x");
}

TEST(TargetFlag, N6NamesTheMissingName) {
    const auto parsed = parse_target_flag("localhost:5432");
    ASSERT_FALSE(parsed.has_value());
    EXPECT_EQ(parsed.error().message(),
              "'localhost:5432' names no hybrid connection; write NAME/localhost:5432");
}

TEST(MappingFlag, BracketsAroundIpv6AreOptional) {
    EXPECT_EQ(parse_mapping_flag("::1:80:simple")->bind_address, "::1");
    EXPECT_EQ(parse_mapping_flag("[::1]:80:simple")->bind_address, "::1");
}

TEST(TargetFlag, TakesApart) {
    const auto flag = parse_target_flag("a/b:5011/[::1]:5432");
    ASSERT_TRUE(flag.has_value());
    EXPECT_EQ(flag->entity, "a/b");
    EXPECT_EQ(flag->key, 5011);
    EXPECT_EQ(flag->target, (hc::TargetAddress{"::1", 5432}));
    const auto plain = parse_target_flag("simple/db.local:80");
    ASSERT_TRUE(plain.has_value());
    EXPECT_EQ(plain->key, 0);
    EXPECT_EQ(plain->target, (hc::TargetAddress{"db.local", 80}));
    for (const char* bad : {"", "simple", "simple/", "simple/host", "/host:1", "simple:x/host:1",
                            "simple:/host:1", "simple/host:99999", "sim ple/host:1"}) {
        EXPECT_FALSE(parse_target_flag(bad).has_value()) << bad;
    }
}

}  // namespace
}  // namespace hpb::config
