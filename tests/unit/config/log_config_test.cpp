#include "config/log_config.hpp"

#include <fmt/format.h>
#include "config/known_keys.hpp"

#include "unit/config/config_fixture.hpp"

namespace hpb::config {
namespace {

using testing::HasSubstr;

class LogConfigTest : public ConfigTest {
protected:
    ops::LogOptions options(std::string_view file, const LogFlags& flags = {}) {
        source = load(file);
        check_known_keys(source, diagnostics);
        return read_log_options(source, flags, diagnostics);
    }
    LayeredSource source;
};

TEST_F(LogConfigTest, WithoutASectionTheConsoleAtInfo) {
    const auto log = options("{}");
    EXPECT_TRUE(log.console);
    EXPECT_EQ(log.level, ops::Level::info);
    EXPECT_EQ(log.format, ops::LogFormat::text);
    EXPECT_EQ(log.file.path_format, "");
    EXPECT_EQ(not_carried_over(source), "");
}

TEST_F(LogConfigTest, ReadsWhatTheExistingBridgeShips) {
    const auto log = options(R"({ "Serilog": {
      "Using": ["Serilog.Sinks.Console", "Serilog.Sinks.RollingFile"],
      "MinimumLevel": { "Default": "Debug", "Override": { "System": "Warning" } },
      "WriteTo": [ { "Name": "Console", "Args": { "outputTemplate": "{Message}" } },
                   { "Name": "RollingFile", "Args": { "pathFormat": "logs/agent-{Date}.log",
                     "fileSizeLimitBytes": 1000, "retainedFileCountLimit": 5 } } ],
      "Properties": { "Application": "x" } },
      "AgentMetrics": { "ReportingOptions": { "ReportFile": "m.txt" } } })");
    EXPECT_TRUE(diagnostics.ok()) << errors();
    EXPECT_TRUE(diagnostics.warnings.empty()) << warnings();
    EXPECT_EQ(log.level, ops::Level::debug);
    EXPECT_TRUE(log.console);
    EXPECT_EQ(log.file.path_format, "logs/agent-{Date}.log");
    EXPECT_EQ(log.file.size_limit, 1000u);
    EXPECT_EQ(log.file.retained_files, 5u);
    const auto line = not_carried_over(source);
    for (const char* part : {"AgentMetrics", "outputTemplate", "Override", "Properties"}) {
        EXPECT_THAT(line, HasSubstr(part));
    }
    EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST_F(LogConfigTest, FileSinks) {
    auto log =
        options(R"({"Serilog":{"WriteTo":[{"Name":"RollingFile","Args":{"pathFormat":"a.b/log.txt",
        "fileSizeLimitBytes":null,"retainedFileCountLimit":null}}]}})");
    EXPECT_FALSE(log.console);
    EXPECT_EQ(log.file.path_format, "a.b/log-{Date}.txt");
    EXPECT_EQ(log.file.size_limit, 0u);
    EXPECT_EQ(log.file.retained_files, 0u);
    log = options(R"({"Serilog":{"WriteTo":{"F":{"Name":"File","Args":{"path":"a.b/log"}}}}})");
    EXPECT_EQ(log.file.path_format, "a.b/log");
    log = options(R"({"Serilog":{"WriteTo":["Console",
        {"Name":"File","Args":{"path":"log.txt","rollingInterval":"Day"}}]}})");
    EXPECT_EQ(log.file.path_format, "log{Date}.txt");
    EXPECT_TRUE(log.console);
    EXPECT_TRUE(diagnostics.ok()) << errors();
    (void)options(R"({"Serilog":{"WriteTo":[{"Name":"RollingFile"}]}})");
    EXPECT_THAT(errors(), HasSubstr("the log file has no name"));
}

/// D16: each sink's own level counts, and --log-level is for who looks at the console.
TEST_F(LogConfigTest, SinksHaveLevelsOfTheirOwn) {
    constexpr std::string_view kFile = R"({"Serilog":{"MinimumLevel":"Debug","WriteTo":[
        {"Name":"Console","Args":{"restrictedToMinimumLevel":"Warning"}},
        {"Name":"RollingFile","Args":{"pathFormat":"a.log","restrictedToMinimumLevel":"Error"}}]}})";
    auto log = options(kFile);
    EXPECT_EQ(log.level, ops::Level::debug);
    EXPECT_EQ(log.console_level, ops::Level::warn);
    EXPECT_EQ(log.file.level, ops::Level::error);
    log = options(kFile, {"trace", ""});
    EXPECT_EQ(log.console_level, ops::Level::trace);
    EXPECT_EQ(log.file.level, ops::Level::error);
    EXPECT_TRUE(diagnostics.ok()) << errors();
    (void)options(R"({"Serilog":{"WriteTo":[
        {"Name":"Console","Args":{"restrictedToMinimumLevel":"Loud"}}]}})");
    EXPECT_THAT(errors(), HasSubstr("restrictedToMinimumLevel: unknown level 'Loud'; the levels"));
}

/// D16: keys that Serilog's configuration knows are not called unknown; that they have no effect is
/// said once.
TEST_F(LogConfigTest, KnowsSerilogsKeys) {
    (void)options(R"({ "Serilog": { "Using": "Serilog.Sinks.Console",
      "LevelSwitches": { "$controlSwitch": "Verbose" }, "FilterSwitches": { "$f": "x" },
      "MinimumLevel": { "ControlledBy": "$controlSwitch" }, "WriteTo": "Console",
      "AuditTo": [ { "Name": "File", "Args": { "path": "x" } } ],
      "Destructure": [ { "Name": "ToMaximumDepth", "Args": { "maximumDestructuringDepth": 4 } } ],
      "Enrich": "FromLogContext", "Filter": [ { "Name": "ByExcluding" } ],
      "Properties": { "A": { "B": "c" } } } })");
    EXPECT_TRUE(diagnostics.ok()) << errors();
    EXPECT_TRUE(diagnostics.warnings.empty()) << warnings();
    const auto line = not_carried_over(source);
    for (const char* part : {"AuditTo", "LevelSwitches", "Destructure", "Enrich"})
        EXPECT_THAT(line, HasSubstr(part));
}

TEST_F(LogConfigTest, UnknownSinkDoesNotSilenceTheLog) {
    const auto log = options(R"({"Serilog":{"WriteTo":[{"Name":"ApplicationInsights"}]}})");
    EXPECT_TRUE(log.console);
    EXPECT_THAT(not_carried_over(source), HasSubstr("the Serilog sink ApplicationInsights"));
}

TEST_F(LogConfigTest, LevelsAndFlags) {
    EXPECT_EQ(options(R"({"Serilog":{"MinimumLevel":"Verbose"}})").level, ops::Level::trace);
    EXPECT_EQ(options(R"({"Serilog":{"MinimumLevel":"fatal"}})").level, ops::Level::error);
    const auto log = options(R"({"Serilog":{"MinimumLevel":"Error"}})", {"debug", "JSON"});
    EXPECT_EQ(log.level, ops::Level::debug);
    EXPECT_EQ(log.format, ops::LogFormat::json);
    EXPECT_TRUE(diagnostics.ok()) << errors();
    (void)options(R"({"Serilog":{"MinimumLevel":"Loud"}})", {"quiet", "xml"});
    EXPECT_THAT(errors(), HasSubstr("Serilog:MinimumLevel: unknown level 'Loud'"));
    EXPECT_THAT(errors(), HasSubstr("--log-level: unknown level 'quiet'"));
    EXPECT_THAT(errors(), HasSubstr("--log-format: unknown format 'xml'"));
}

}  // namespace
}  // namespace hpb::config
