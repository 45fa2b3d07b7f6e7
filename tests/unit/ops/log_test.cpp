#include "ops/log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "ops/log_format.hpp"
#include "ops/rolling_file.hpp"
#include "support/reached.hpp"

namespace hpb::ops {
namespace {

using std::chrono::sys_days;
using namespace std::chrono_literals;

class Files : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "hpb-log-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    static std::string content(const std::filesystem::path& file) {
        std::ifstream in(file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    LogFileOptions options() const {
        return {.path_format = (directory_ / "logs" / "agent-{Date}.log").string()};
    }

    std::filesystem::path directory_;
};

using RollingFileTest = Files;
using LogTest = Files;

const auto kDay = sys_days(std::chrono::year{2026} / 11 / 22);

TEST(LogFormat, TextLine) {
    EXPECT_EQ(
        format_line(LogFormat::text, kDay + 8h + 30min + 123ms, Level::info, "relay", "ready"),
        "2026-11-22T08:30:00.123Z INFO  relay  ready");
}

TEST(LogFormat, JsonLineEscapesQuotes) {
    EXPECT_EQ(format_line(LogFormat::json, kDay, Level::warn, "relay", R"(a "b\c")"),
              R"({"time":"2026-11-22T00:00:00.000Z","level":"warn","component":"relay",)"
              R"("message":"a \"b\\c\""})");
}

TEST(LogFormat, PeersBytesCannotForgeALine) {
    EXPECT_EQ(sanitize("a\nb\r\x1b[31m\x7f"), "a?b??[31m?");
    EXPECT_EQ(sanitize("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
    EXPECT_EQ(sanitize("\xc2\x9b|\xe2\x80\xa8|"), "?|?|");
    EXPECT_EQ(sanitize("\xff\xc3"), "??");
    EXPECT_EQ(sanitize("\xed\xa0\x80"), "???");  // a surrogate
    EXPECT_EQ(sanitize("\xc0\xaf"), "??");       // overlong
}

TEST(LogFormat, LongMessagesAreCut) {
    EXPECT_EQ(sanitize("abcdef", 4), "abcd...");
    EXPECT_EQ(sanitize("abc\xc3\xbc", 4), "abc...");
}

TEST_F(RollingFileTest, NamesEachDaysFile) {
    RollingFile file(options());
    EXPECT_EQ(file.write("one", kDay + 23h), RollingFile::Outcome::written);
    EXPECT_EQ(file.write("two", kDay + 25h), RollingFile::Outcome::written);
    EXPECT_EQ(content(directory_ / "logs" / "agent-20261122.log"), "one\n");
    EXPECT_EQ(content(directory_ / "logs" / "agent-20261123.log"), "two\n");
}

TEST_F(RollingFileTest, FullFileTakesNoMoreThatDay) {
    LogFileOptions limited = options();
    limited.size_limit = 8;
    RollingFile file(limited);
    EXPECT_EQ(file.write("1234567", kDay), RollingFile::Outcome::written);
    EXPECT_EQ(file.write("8", kDay), RollingFile::Outcome::full);
    EXPECT_EQ(file.write("9", kDay + 24h), RollingFile::Outcome::written);
}

TEST_F(RollingFileTest, CountsWhatTheFileHeldBefore) {
    LogFileOptions limited = options();
    limited.size_limit = 8;
    {
        RollingFile file(limited);
        EXPECT_EQ(file.write("1234", kDay), RollingFile::Outcome::written);
    }
    RollingFile file(limited);
    EXPECT_EQ(file.write("5678", kDay), RollingFile::Outcome::full);
}

TEST_F(RollingFileTest, RemovesTheOldestAndNothingElse) {
    LogFileOptions few = options();
    few.retained_files = 2;
    std::filesystem::create_directories(directory_ / "logs");
    std::ofstream(directory_ / "logs" / "agent-notadate.log") << "x";
    RollingFile file(few);
    for (int day = 0; day < 4; ++day) {
        EXPECT_EQ(file.write("x", kDay + day * 24h), RollingFile::Outcome::written);
    }
    EXPECT_FALSE(std::filesystem::exists(directory_ / "logs" / "agent-20261123.log"));
    EXPECT_TRUE(std::filesystem::exists(directory_ / "logs" / "agent-20261124.log"));
    EXPECT_TRUE(std::filesystem::exists(directory_ / "logs" / "agent-20261125.log"));
    EXPECT_TRUE(std::filesystem::exists(directory_ / "logs" / "agent-notadate.log"));
}

TEST_F(RollingFileTest, UnwritablePathIsAnOutcomeAndNotAThrow) {
    LogFileOptions bad;
    bad.path_format = "/proc/nowhere/agent-{Date}.log";
    RollingFile file(bad);
    EXPECT_EQ(file.write("x", kDay), RollingFile::Outcome::failed);
    EXPECT_FALSE(file.last_error().empty());
}

// N1: log files that others rotate.
TEST_F(RollingFileTest, N1MakesAFileAnewThatWasMovedOrRemoved) {
    LogFileOptions fixed;
    fixed.path_format = (directory_ / "agent.log").string();
    RollingFile file(fixed);
    EXPECT_EQ(file.write("one", kDay), RollingFile::Outcome::written);
    std::filesystem::rename(directory_ / "agent.log", directory_ / "agent.log.1");
    EXPECT_EQ(file.write("two", kDay + 2s), RollingFile::Outcome::written);
    EXPECT_EQ(content(directory_ / "agent.log.1"), "one\n");
    EXPECT_EQ(content(directory_ / "agent.log"), "two\n");
    std::filesystem::remove(directory_ / "agent.log");
    EXPECT_EQ(file.write("three", kDay + 4s), RollingFile::Outcome::written);
    EXPECT_EQ(content(directory_ / "agent.log"), "three\n");
}

TEST_F(RollingFileTest, N1ReopensWhenItIsAskedTo) {
    LogFileOptions fixed;
    fixed.path_format = (directory_ / "agent.log").string();
    RollingFile file(fixed);
    EXPECT_EQ(file.write("one", kDay), RollingFile::Outcome::written);
    std::filesystem::rename(directory_ / "agent.log", directory_ / "agent.log.1");
    file.reopen();
    EXPECT_EQ(file.write("two", kDay), RollingFile::Outcome::written);
    EXPECT_EQ(content(directory_ / "agent.log"), "two\n");
}

TEST_F(RollingFileTest, N1ATruncatedFileHasRoomAgain) {
    LogFileOptions limited;
    limited.path_format = (directory_ / "agent.log").string();
    limited.size_limit = 8;
    RollingFile file(limited);
    EXPECT_EQ(file.write("1234567", kDay), RollingFile::Outcome::written);
    EXPECT_EQ(file.write("8", kDay), RollingFile::Outcome::full);
    std::filesystem::resize_file(directory_ / "agent.log", 0);
    EXPECT_EQ(file.write("9", kDay + 2s), RollingFile::Outcome::written);
    EXPECT_EQ(content(directory_ / "agent.log"), "9\n");
}

TEST_F(LogTest, N1ReopensTheFileWhileLinesAreWritten) {
    LogOptions log;
    log.console = false;
    log.level = Level::warn;
    log.file.path_format = (directory_ / "all.log").string();
    init_log(log);
    log_warn("test", "before");
    shut_down_log();
    init_log(log);
    std::filesystem::rename(directory_ / "all.log", directory_ / "all.log.1");
    reopen_log();
    log_warn("test", "after");
    shut_down_log();
    EXPECT_NE(content(directory_ / "all.log").find("after"), std::string::npos);
}

/// D16: a sink may want less than the log has.
TEST_F(LogTest, SinksHaveLevelsOfTheirOwn) {
    LogOptions log;
    log.level = Level::debug;
    log.console_level = Level::error;
    log.file.path_format = (directory_ / "all.log").string();
    log.file.level = Level::warn;
    testing::internal::CaptureStderr();
    init_log(log);
    log_info("test", "first");
    log_warn("test", "second");
    log_error("test", "third");
    shut_down_log();
    const std::string console = testing::internal::GetCapturedStderr();
    const std::string file = content(directory_ / "all.log");
    EXPECT_EQ(std::count(console.begin(), console.end(), '\n'), 1) << console;
    EXPECT_NE(console.find("third"), std::string::npos);
    EXPECT_EQ(file.find("first"), std::string::npos);
    EXPECT_NE(file.find("second"), std::string::npos);
    EXPECT_NE(file.find("third"), std::string::npos);
}

TEST_F(LogTest, N1SaysThatAFileTakesLinesAgain) {
    LogOptions log;
    log.console = false;
    const test::Reached lost(Limit::lost_lines);
    std::ofstream(directory_ / "logs") << "a file where the folder should be";
    log.file.path_format = (directory_ / "logs" / "all.log").string();
    init_log(log);
    testing::internal::CaptureStderr();
    log_warn("test", "lost");
    const auto text_soon = [&](const std::filesystem::path& file, std::string_view what) {
        const auto deadline = std::chrono::steady_clock::now() + 5s;
        while (std::chrono::steady_clock::now() < deadline) {
            if (content(file).find(what) != std::string::npos) return true;
            log_warn("test", "another");
            std::this_thread::yield();
        }
        return false;
    };
    EXPECT_FALSE(std::filesystem::exists(directory_ / "logs" / "all.log"));
    std::this_thread::yield();
    log_warn("test", "lost too");
    reopen_log();
    std::filesystem::rename(directory_ / "logs", directory_ / "gone");
    const bool healed = text_soon(directory_ / "logs" / "all.log", "another");
    shut_down_log();
    const std::string console = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(healed);
    // Whether the first line came before the file was in order is the writer's affair.
    if (console.find("can't be written") == std::string::npos) return;
    EXPECT_NE(console.find("can be written again"), std::string::npos) << console;
    EXPECT_GT(lost.times(), 0u);
}

TEST_F(LogTest, EveryThreadsLinesReachTheFileOrAreCounted) {
    LogOptions log;
    log.console = false;
    log.level = Level::debug;
    log.file.path_format = (directory_ / "all.log").string();
    init_log(log);
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([t] {
                for (int i = 0; i < 100; ++i) log_info("test", "thread {} line {}", t, i);
            });
        }
    }
    log_debug("test", "shown");
    log_line(Level::trace, "test", "hidden");
    shut_down_log();

    const std::string text = content(directory_ / "all.log");
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 401);
    EXPECT_NE(text.find("DEBUG test  shown"), std::string::npos);
    EXPECT_EQ(text.find("hidden"), std::string::npos);
}

TEST_F(LogTest, LevelDecidesWhatIsEnabled) {
    LogOptions log;
    log.console = false;
    log.level = Level::warn;
    init_log(log);
    EXPECT_FALSE(log_enabled(Level::info));
    EXPECT_TRUE(log_enabled(Level::warn));
    log.level = Level::off;
    init_log(log);
    EXPECT_FALSE(log_enabled(Level::error));
    log.level = Level::info;
    init_log(log);
    shut_down_log();
}

TEST(LogLimiter, LetsOneThroughAPeriodAndCountsTheOthers) {
    LogLimiter limiter(10s);
    const std::chrono::steady_clock::time_point start{1h};
    std::uint64_t suppressed = 99;
    EXPECT_TRUE(limiter.admit(start, suppressed));
    EXPECT_EQ(suppressed, 0u);
    EXPECT_FALSE(limiter.admit(start + 1s, suppressed));
    EXPECT_FALSE(limiter.admit(start + 9s, suppressed));
    EXPECT_TRUE(limiter.admit(start + 10s, suppressed));
    EXPECT_EQ(suppressed, 2u);
}

}  // namespace
}  // namespace hpb::ops
