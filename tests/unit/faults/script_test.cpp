#include "faults/script.hpp"

#include <gmock/gmock.h>

#include <map>

namespace hpb::faults {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::string> kLinks{"a", "b"};

ScriptRun run_of(std::string_view text, std::uint64_t seed) {
    return {parse_script(text, kLinks).value(), seed, kLinks};
}

std::vector<std::string> steps_of(std::string_view text, std::uint64_t seed, std::size_t limit) {
    auto run = run_of(text, seed);
    std::vector<std::string> steps;
    while (steps.size() < limit) {
        const auto step = run.next();
        if (!step) break;
        steps.push_back(format_step(*step));
    }
    return steps;
}

std::string error_of(std::string_view text) {
    const auto script = parse_script(text, kLinks);
    return script ? "" : script.error().message();
}

constexpr std::string_view kMixed =
    "# everything\n"
    "every 50ms..200ms reset | blackhole 100ms..300ms | truncate 1..5000\n"
    "every 1s on b stall 100ms\n"
    "\n"
    "at 2s on * set delay=20ms  # later\n";

TEST(Script, TheSameSeedGivesTheSameSteps) {
    EXPECT_EQ(steps_of(kMixed, 7, 500), steps_of(kMixed, 7, 500));
    EXPECT_NE(steps_of(kMixed, 7, 500), steps_of(kMixed, 8, 500));
}

TEST(Script, IsTheSameOnEverySystem) {
    EXPECT_THAT(
        steps_of("every 50ms..200ms reset | blackhole 100ms..300ms | truncate 1..5000", 1, 5),
        ElementsAre("at 98978us on a blackhole 158391us",
                    "at 240840us on b truncate 4535 to-client", "at 428547us on b reset",
                    "at 498339us on a truncate 1824 to-target",
                    "at 653053us on a blackhole 273688us"));
}

TEST(Script, KeepsToItsRangesAndToTheOrderOfTime) {
    auto run = run_of("every 50ms..200ms reset | blackhole 100ms..300ms | truncate 1..5000", 3);
    Duration last{};
    std::map<Verb, int> verbs;
    std::map<std::string, int> links;
    for (int i = 0; i < 3000; ++i) {
        const auto step = run.next().value();
        EXPECT_GE(step.at - last, 50ms);
        EXPECT_LE(step.at - last, 200ms);
        last = step.at;
        const auto& action = step.command.action;
        ++verbs[action.verb];
        ++links[step.command.link];
        if (action.verb == Verb::truncate) {
            EXPECT_GE(action.bytes.low, 1u);
            EXPECT_LE(action.bytes.low, 5000u);
            EXPECT_TRUE(action.way);
        }
        if (action.duration) {
            EXPECT_GE(action.duration->low, 100ms);
            EXPECT_LE(action.duration->high, 300ms);
        }
    }
    EXPECT_EQ(verbs.size(), 3u);
    for (const auto& [verb, count] : verbs) EXPECT_GT(count, 800);
    EXPECT_GT(links["a"], 1200);
    EXPECT_GT(links["b"], 1200);
}

TEST(Script, TimesEndALineAndAtHappensOnce) {
    EXPECT_THAT(steps_of("every 100ms times 2 on a reset\nat 150ms cut", 1, 100),
                ElementsAre("at 100ms on a reset", HasSubstr("cut"), "at 200ms on a reset"));
    EXPECT_TRUE(steps_of("# nothing\n", 1, 10).empty());
}

TEST(Script, ALogOfARunReplaysIt) {
    const auto steps = steps_of(kMixed, 42, 200);
    std::string log;
    for (const auto& step : steps) log += step + "\n";
    EXPECT_EQ(steps_of(log, 999, 1000), steps);
}

TEST(Script, ErrorsNameTheLine) {
    EXPECT_THAT(error_of("# fine\nevery 1s rset"), HasSubstr("line 2: there is no command 'rset'"));
    EXPECT_THAT(error_of("reset"), HasSubstr("a line is"));
    EXPECT_THAT(error_of("every 0..1s reset"), HasSubstr("1ms at least"));
    EXPECT_THAT(error_of("every 1s times 0 reset"), HasSubstr("'times'"));
    EXPECT_THAT(error_of("every 1s on c reset"), HasSubstr("no link 'c'"));
    EXPECT_THAT(error_of("every 1s reset |"), HasSubstr("no command"));
    EXPECT_THAT(error_of("every 1s on a"), HasSubstr("line 1"));
    EXPECT_THAT(error_of("every 1s..2m blackhole 2s..1s"), HasSubstr("begins above"));
}

}  // namespace
}  // namespace hpb::faults
