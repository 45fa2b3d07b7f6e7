#include "faults/command.hpp"

#include <gmock/gmock.h>

namespace hpb::faults {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::string error_of(std::string_view line) {
    const auto command = parse_command(line);
    return command ? "" : command.error().message();
}

TEST(Units, ReadsAndWritesQuantities) {
    EXPECT_EQ(parse_duration("250us").value(), 250us);
    EXPECT_EQ(parse_duration("2m").value(), 2min);
    EXPECT_EQ(parse_duration("0").value(), 0ms);
    EXPECT_EQ(format_duration(1500ms), "1500ms");
    EXPECT_EQ(format_duration(120s), "2m");
    EXPECT_EQ(parse_rate("1gbit").value(), 1'000'000'000u);
    EXPECT_EQ(parse_rate("9600").value(), 9600u);
    EXPECT_EQ(format_rate(20'000'000), "20mbit");
    EXPECT_EQ(parse_size("64KiB").value(), 65536u);
    EXPECT_EQ(parse_size_range("1..5000").value(), (Range<std::uint64_t>{1, 5000}));
    EXPECT_EQ(parse_duration_range("50ms..200ms").value(), (Range<Duration>{50ms, 200ms}));
}

TEST(Units, RefusesWhatIsNone) {
    for (const auto* text : {"", "ms", "100", "-1ms", "1.5s", "1 s", "2d", "25h", "1441m",
                             "99999999999999999999s", "9999999999999999999m"}) {
        EXPECT_FALSE(parse_duration(text)) << text;
    }
    for (const auto* text : {"", "1", "0", "101gbit", "1gbyte"}) {
        EXPECT_FALSE(parse_rate(text)) << text;
    }
    for (const auto* text : {"", "2GiB", "1KB", "99999999999999999999"}) {
        EXPECT_FALSE(parse_size(text)) << text;
    }
    EXPECT_FALSE(parse_duration_range("200ms..50ms"));
    EXPECT_FALSE(parse_duration_range("..50ms"));
    EXPECT_THAT(parse_duration("100").error().message(), HasSubstr("'100' is not a duration"));
}

TEST(Link, IsANameTwoAddressesAndSettings) {
    const auto link =
        parse_link("db=127.0.0.1:0,[::1]:5432,delay=100ms,rate=1gbit,to-client.rate=20mbit")
            .value();
    EXPECT_EQ(link.name, "db");
    EXPECT_EQ(link.listen.host, "127.0.0.1");
    EXPECT_EQ(link.listen.port, 0);
    EXPECT_EQ(link.target.host, "::1");
    EXPECT_EQ(link.target.port, 5432);
    EXPECT_EQ(link.lanes[index_of(Way::to_target)].rate, 1'000'000'000u);
    EXPECT_EQ(link.lanes[index_of(Way::to_client)].rate, 20'000'000u);
    EXPECT_EQ(link.lanes[index_of(Way::to_client)].delay, 100ms);
}

TEST(Link, ErrorsSayWhatIsWrong) {
    const auto error = [](std::string_view text) { return parse_link(text).error().message(); };
    EXPECT_THAT(error("db"), HasSubstr("write it like"));
    EXPECT_THAT(error("db=127.0.0.1:0"), HasSubstr("write it like"));
    EXPECT_THAT(error("a b=127.0.0.1:0,h:1"), HasSubstr("no name"));
    EXPECT_THAT(error("db=127.0.0.1:0,h:0"), HasSubstr("'h:0'"));
    EXPECT_THAT(error("db=::1:0,h:1"), HasSubstr("brackets"));
    EXPECT_THAT(error("db=127.0.0.1:70000,h:1"), HasSubstr("HOST:PORT"));
    EXPECT_THAT(error("db=127.0.0.1:0,h:1,dely=1s"), HasSubstr("did you mean 'delay'"));
    EXPECT_THAT(error("db=127.0.0.1:0,h:1,to-clint.delay=1s"), HasSubstr("to-client"));
    EXPECT_THAT(error("db=127.0.0.1:0,h:1,queue=1"), HasSubstr("4KiB"));
}

TEST(Settings, BuffersFollowFromDelayAndRate) {
    LaneSettings lane;
    EXPECT_EQ(lane.buffer_size(), 256u * 1024);
    EXPECT_EQ(lane.queue_size(), 64u * 1024);
    lane.delay = 100ms;
    EXPECT_EQ(lane.buffer_size(), 64u * 1024 * 1024 + 256 * 1024);
    lane.rate = 1'000'000'000;
    EXPECT_EQ(lane.queue_size(), 1'250'000u);
    EXPECT_EQ(lane.buffer_size(), 12'500'000u + 1'250'000 + 256 * 1024);
    lane.delay = 24h;
    EXPECT_LE(lane.buffer_size(), 1026u * 1024 * 1024);
    lane.buffer = 8192;
    EXPECT_EQ(lane.buffer_size(), 8192u);
}

TEST(Settings, AChangeLeavesTheRest) {
    SettingsChange change;
    ASSERT_TRUE(parse_setting("to-target.rate=unlimited", change));
    LaneSettings lane{.delay = 5ms, .rate = 1000};
    change.lanes[index_of(Way::to_client)].apply_to(lane);
    EXPECT_EQ(lane.rate, 1000u);
    change.lanes[index_of(Way::to_target)].apply_to(lane);
    EXPECT_EQ(lane.rate, std::nullopt);
    EXPECT_EQ(lane.delay, 5ms);
}

TEST(Command, ReadsEveryVerb) {
    for (const auto* line :
         {"set db delay=1ms rate=1gbit", "stall db", "stall db 100ms", "blackhole * 300ms",
          "resume *", "reset db", "cut db", "truncate db 100 to-target", "refuse db 1s",
          "accept db", "stats db"}) {
        const auto command = parse_command(line);
        ASSERT_TRUE(command) << line << ": " << command.error().message();
        const auto words = words_of(line);
        EXPECT_EQ(command->link, words[1]);
        // What is written reads as the same.
        const std::string text = format_action(command->action);
        const auto again = words_of(text);
        EXPECT_EQ(format_action(parse_action(again, false).value()), text);
    }
    EXPECT_EQ(parse_command("stats").value().link, "*");
    EXPECT_EQ(parse_command(" truncate\tdb  7 ").value().action.way, Way::to_client);
}

TEST(Command, ErrorsSayWhatIsWrong) {
    EXPECT_THAT(error_of(""), HasSubstr("no command"));
    EXPECT_THAT(error_of("resett db"), HasSubstr("did you mean 'reset'"));
    EXPECT_THAT(error_of("reset db now"), HasSubstr("one word too many"));
    EXPECT_THAT(error_of("stall db 1s 2s"), HasSubstr("one word too many"));
    EXPECT_THAT(error_of("truncate db"), HasSubstr("number of bytes"));
    EXPECT_THAT(error_of("truncate db 5 sideways"), HasSubstr("no direction"));
    EXPECT_THAT(error_of("truncate db 1..5"), HasSubstr("scripts only"));
    EXPECT_THAT(error_of("set db"), HasSubstr("wants settings"));
    EXPECT_THAT(error_of("set db delay"), HasSubstr("no setting"));
    EXPECT_THAT(error_of("stall db soon"), HasSubstr("not a duration"));
    EXPECT_THAT(error_of(std::string_view("\x01\xff\0", 3)), Not(HasSubstr("\xff")));
}

}  // namespace
}  // namespace hpb::faults
