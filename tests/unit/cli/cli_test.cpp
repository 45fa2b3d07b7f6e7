#include "hpb/cli.hpp"

#include "hpb/start.hpp"
#include "unit/config/config_fixture.hpp"

namespace hpb::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace std::chrono_literals;

CommandLine parse(const std::vector<std::string>& arguments) {
    auto outcome = parse_command_line(arguments);
    EXPECT_EQ(outcome.error, "");
    EXPECT_TRUE(outcome.command_line.has_value());
    return outcome.command_line.value_or(CommandLine{});
}

std::string error_of(const std::vector<std::string>& arguments) {
    const auto outcome = parse_command_line(arguments);
    EXPECT_EQ(outcome.exit_code, kExitUsage);
    EXPECT_FALSE(outcome.command_line.has_value());
    EXPECT_EQ(outcome.error.find('\n'), std::string::npos) << outcome.error;
    return outcome.error;
}

TEST(CommandLine, RelayWithoutAnyFile) {
    const auto line = parse({"relay", "--listen", "127.0.0.1:8443", "--listen=[::1]:8443", "--cert",
                             "c.crt", "--key", "c.key", "--rule", "root", "--rule-key-file",
                             "root.key", "--connection", "simple", "--connection", "other"});
    EXPECT_EQ(line.command, Command::relay);
    EXPECT_THAT(line.relay.listen, ElementsAre("127.0.0.1:8443", "[::1]:8443"));
    EXPECT_THAT(line.relay.connections, ElementsAre("simple", "other"));
    EXPECT_EQ(line.relay.rule, "root");
    ASSERT_EQ(line.flags.size(), 2u);
    EXPECT_EQ(line.flags[0].key, "Relay:Tls:CertificateFile");
    EXPECT_EQ(line.flags[0].value, "c.crt");
    EXPECT_EQ(line.flags[0].flag, "--cert");
    EXPECT_EQ(parse({"relay", "--insecure"}).flags.at(0).value, "true");
}

TEST(CommandLine, ServiceAndClient) {
    const auto service = parse({"service", "--relay", "sb://127.0.0.1:8443/", "--ca", "relay.crt",
                                "-T", "simple:5011/localhost:5432", "-T", "b/[::1]:80", "--proxy",
                                "none", "--protocol", "v2"});
    EXPECT_EQ(service.command, Command::service);
    EXPECT_THAT(service.service.targets, ElementsAre("simple:5011/localhost:5432", "b/[::1]:80"));
    ASSERT_EQ(service.flags.size(), 4u);
    EXPECT_EQ(service.flags[3].key, "PortBridge:Protocol");
    EXPECT_EQ(service.flags[3].value, "v2");
    const auto client =
        parse({"client", "-x", "Endpoint=sb://h/;A=b", "-L", "127.0.0.1:15432/5011:simple", "-L",
               "[::1]:1:b", "--channels", "4", "--ttl", "60", "--log-level", "debug",
               "--log-format", "json", "--config", "f.json"});
    EXPECT_THAT(client.client.mappings, ElementsAre("127.0.0.1:15432/5011:simple", "[::1]:1:b"));
    EXPECT_EQ(client.client.channels, 4);
    EXPECT_EQ(client.client.channel_ttl, 60s);
    EXPECT_EQ(client.log.format, "json");
    EXPECT_EQ(client.config_file, "f.json");
    EXPECT_EQ(client.flags.at(0).key, "PortBridge:ServiceNamespace:ConnectionString");
}

TEST(CommandLine, DemoCheckAndToken) {
    const auto demo = parse({"demo", "--once", "--port", "8080", "--target", "localhost:80"});
    EXPECT_TRUE(demo.demo.once);
    EXPECT_EQ(demo.demo.port, 8080);
    EXPECT_EQ(demo.demo.target, (hc::TargetAddress{"localhost", 80}));
    EXPECT_EQ(parse({"check", "--config", "f", "client"}).check_role, "client");
    EXPECT_EQ(parse({"token", "--ttl", "5", "--connection", "a/b"}).token_ttl, 5s);
}

TEST(CommandLine, SettingsPassThrough) {
    const auto line = parse({"client", "--PortBridge:PortMappings:1:EntityPath=a",
                             "/Serilog:MinimumLevel", "Debug", "--relay", "r", "PortBridge:X=--y"});
    EXPECT_THAT(line.settings, ElementsAre("--PortBridge:PortMappings:1:EntityPath=a",
                                           "/Serilog:MinimumLevel", "Debug", "PortBridge:X=--y"));
    EXPECT_EQ(line.flags.size(), 1u);
}

/// D11: what .NET's host and other libraries read from the same command line.
TEST(CommandLine, OtherProgramsKeysAreLeftAlone) {
    const auto line = parse({"client", "Logging:LogLevel:Default=Debug", "--environment=Production",
                             "Foo=bar", "--Logging:X", "y", "/urls", "http://h", "--contentRoot",
                             "/app", "/A:B=c", "--Dangling", "--rule", "Name=x", "--foo=bar", "-x",
                             "Endpoint=sb://h/;SharedAccessKeyName=n", "-L", "1:a=b"});
    EXPECT_THAT(line.other_keys,
                ElementsAre("Logging:LogLevel:Default", "environment", "Foo", "Logging:X", "urls",
                            "contentRoot", "A:B", "Dangling", "foo"));
    EXPECT_THAT(line.settings, IsEmpty());
    ASSERT_EQ(line.flags.size(), 2u);
    EXPECT_EQ(line.flags[0].value, "Name=x");
    EXPECT_THAT(line.client.mappings, ElementsAre("1:a=b"));
    EXPECT_EQ(make_inputs(line, {}).other_keys.size(), 9u);
}

/// D11: a slip in one of our own flags is still an error, however it is written.
TEST(CommandLine, OurOwnFlagsAreNotOtherProgramsKeys) {
    for (const char* slip : {"--rulekey-file=x", "--Relay=x", "--lisen=x", "--conifg=x", "--port=1",
                             "rule=x", "/relay=x", "-k=v", "--verbosity", "--verbosity x", "stray",
                             "/etc/appsettings.json", "--=x", "SharedAccessKey=secret"}) {
        EXPECT_NE(error_of({"client", slip}), "") << slip;
    }
    EXPECT_NE(error_of({"client", "--verbosity", "debug"}), "");
    EXPECT_NE(error_of({"demo", "Foo=bar"}), "");
}

// N6: a suggestion that is near, or what does here what other programs mean by it.
TEST(CommandLine, N6NamesWhatWasMeant) {
    EXPECT_THAT(error_of({"client", "-T", "a/b:1"}), HasSubstr("'hpb service -T'"));
    EXPECT_THAT(error_of({"client", "--target", "a/b:1"}), HasSubstr("'hpb service -T'"));
    EXPECT_THAT(error_of({"service", "-L", "1:a"}), HasSubstr("'hpb client -L'"));
    EXPECT_THAT(error_of({"client", "-R", "1:a:2"}), HasSubstr("'hpb service -T name/host:port'"));
    EXPECT_EQ(error_of({"-V"}), "unknown option -V; did you mean --version?");
    EXPECT_EQ(error_of({"relay", "-V"}), "unknown option -V; did you mean --version?");
    EXPECT_THAT(error_of({"client", "--port", "1"}), HasSubstr("-L [bind:]port:name"));
    EXPECT_THAT(error_of({"relay", "--port=1"}), HasSubstr("--listen address:port"));
    EXPECT_EQ(error_of({"client", "-l", "1:a"}), "unknown option -l; did you mean -L?");
    EXPECT_EQ(error_of({"service", "-X", "1"}), "unknown option -X; did you mean -x?");
    EXPECT_THAT(error_of({"service", "--cert", "f"}), HasSubstr("--ca"));
    EXPECT_THAT(error_of({"relay", "--ca", "f"}),
                HasSubstr("it is an option of 'hpb service', 'hpb client'"));
    EXPECT_THAT(error_of({"client", "--insecure"}), HasSubstr("ws://"));
    EXPECT_EQ(error_of({"relay", "-z"}), "unknown option -z; see 'hpb relay --help'");
    EXPECT_EQ(error_of({"client", "--pork"}), "unknown option --pork; see 'hpb client --help'");
}

TEST(CommandLine, MistakesAreOneLineWithTheNearestName) {
    EXPECT_EQ(error_of({"relay", "--lisen", "x"}),
              "unknown option --lisen; did you mean --listen?");
    EXPECT_EQ(error_of({"client", "--rulekey-file=x"}),
              "unknown option --rulekey-file; did you mean --rule-key-file?");
    EXPECT_EQ(error_of({"service", "--zzzzzzzzzzzz"}),
              "unknown option --zzzzzzzzzzzz; see 'hpb service --help'");
    EXPECT_EQ(error_of({"rellay"}), "unknown command 'rellay'; did you mean relay?");
    EXPECT_EQ(error_of({"client", "stray"}),
              "unexpected argument 'stray'; see 'hpb client --help'");
    EXPECT_THAT(error_of({"client", "Endpoint=sb://h/;SharedAccessKey=secret"}),
                Not(HasSubstr("secret")));
    EXPECT_THAT(error_of({}), HasSubstr("hpb --help"));
    EXPECT_THAT(error_of({"--verson"}), HasSubstr("did you mean --version?"));
    EXPECT_THAT(error_of({"relay", "--cert"}), HasSubstr("--cert"));
    EXPECT_THAT(error_of({"client", "--channels", "0"}), HasSubstr("--channels"));
    EXPECT_THAT(error_of({"client", "--ttl", "x"}), HasSubstr("--ttl"));
    EXPECT_THAT(error_of({"demo", "--port", "70000"}), HasSubstr("--port"));
    EXPECT_THAT(error_of({"demo", "--target", "nowhere"}), HasSubstr("--target"));
    EXPECT_THAT(error_of({"check", "relais"}), HasSubstr("relais"));
    EXPECT_THAT(error_of({"relay", "client"}), Not(IsEmpty()));
}

TEST(CommandLine, HelpAndVersion) {
    for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
             {"--help"}, {"relay", "--help"}, {"client", "-h"}, {"--version"}}) {
        const auto outcome = parse_command_line(arguments);
        EXPECT_EQ(outcome.exit_code, 0);
        EXPECT_FALSE(outcome.command_line.has_value());
        EXPECT_FALSE(outcome.output.empty());
    }
    EXPECT_THAT(parse_command_line({"--version"}).output, testing::StartsWith("hpb "));
    EXPECT_THAT(parse_command_line({"client", "--help"}).output,
                HasSubstr("[BIND:]PORT[/KEY]:NAME"));
}

class AppTest : public config::ConfigTest {
protected:
    config::SourceInputs inputs_for(const CommandLine& line) { return make_inputs(line, inputs); }
    CheckReport check_file(std::string_view text, const std::string& role = "") {
        CommandLine line;
        line.config_file = write("file.json", text);
        line.check_role = role;
        auto report = check(line, inputs_for(line));
        diagnostics = report.problems;
        return report;
    }
};

TEST_F(AppTest, CheckTellsWhatWouldRunAndNoSecret) {
    const auto report = check_file(R"({ "PortBridge": {
      "ServiceNamespace": { "ServiceNamespace": "r.example:8443", "AccessRuleName": "root",
                            "AccessRuleKey": "top-secret", "Proxy": "http://u:top-secret@p:1" },
      "SessionGraceSeconds": 60, "EntityPaths": ["simple"], "Targets": { "5011": "[::1]:80" },
      "PortMappings": { "5021": { "EntityPath": "simple", "AcceptFromIpAddresses": ["*"] } } } })");
    EXPECT_TRUE(report.problems.ok()) << errors();
    EXPECT_EQ(report.output,
              "service agent\n"
              "  relay r.example:8443 over TLS, access rule root\n"
              "  through the proxy p:1 (with a password)\n"
              "  speaks v2, or v1 if the other agent does not support v2; sessions outlive their "
              "channels by 60 s, "
              "keep-alive 5 s\n"
              "  256 MiB for all sessions, windows from 256 to 65536 KiB\n"
              "  hybrid connection simple\n"
              "    key 5011 goes to [::1]:80\n"
              "    other keys from the relay's user metadata\n"
              "client agent\n"
              "  relay r.example:8443 over TLS, access rule root\n"
              "  through the proxy p:1 (with a password)\n"
              "  speaks v2, or v1 if the other agent does not support v2; sessions outlive their "
              "channels by 60 s, "
              "keep-alive 5 s\n"
              "  256 MiB for all sessions, windows from 256 to 65536 KiB\n"
              "  0.0.0.0:5021 goes to simple with key 0 (1 channel)\n");
}

TEST_F(AppTest, CheckReportsAllProblemsOnceAndNoPlan) {
    const auto report = check_file(R"({ "PortBridge": { "EntityPaths": ["a b"],
      "ServiceNamespace": { "ServiceNamespace": "r", "AccessRuleKey": "top-secret" },
      "PortMappings": { "5021": { "EntityPath": "x" } } }, "Relay": { "Listen": ["x"], "Insecure": true } })");
    EXPECT_EQ(report.output, "");
    EXPECT_THAT(errors(), HasSubstr("Relay:Listen:0"));
    EXPECT_THAT(errors(), HasSubstr("PortBridge:EntityPaths:0"));
    EXPECT_EQ(report.problems.errors.size(), 3u) << errors();
    EXPECT_THAT(errors(), Not(HasSubstr("top-secret")));
}

TEST_F(AppTest, CheckOfNothing) {
    check_file("{}");
    EXPECT_THAT(errors(), HasSubstr("file.json: there is nothing to run"));
    check_file("{}", "client");
    EXPECT_THAT(errors(), HasSubstr("there is no port to listen on"));
    check_file("{ \"Relay\": ");
    EXPECT_EQ(diagnostics.errors.size(), 1u) << errors();
}

TEST_F(AppTest, TokenIsTheOneThatTheRelayVerifies) {
    const auto key = write("key", "vector-key-0001\n");
    auto line = parse({"token", "--relay", "sb://contoso.servicebus.windows.net/", "--rule",
                       "RootManageSharedAccessKey", "--rule-key-file", key, "--connection", "hyco",
                       "--ttl", "100"});
    EXPECT_EQ(make_token(line, inputs_for(line), 1699999900, diagnostics),
              "SharedAccessSignature sr=http%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyco%2F&"
              "sig=O05Wt1wFOBWO84f4NYM5rU7kfkCCwq6gBR20mc%2BG0KQ%3D&se=1700000000&"
              "skn=RootManageSharedAccessKey")
        << errors();
    line = parse({"token", "--relay", "r", "--connection", "a b"});
    EXPECT_EQ(make_token(line, inputs_for(line), 0, diagnostics), "");
    EXPECT_EQ(diagnostics.errors.size(), 3u) << errors();
}

TEST(CommandLine, Bench) {
    const auto line = parse({"bench", "throughput", "127.0.0.1:5000", "[::1]:5001", "--streams",
                             "8", "--direction", "down", "--seconds", "0.5", "--json"});
    EXPECT_EQ(line.command, Command::bench);
    EXPECT_EQ(line.bench.load, BenchOptions::Load::throughput);
    ASSERT_EQ(line.bench.addresses.size(), 2u);
    EXPECT_EQ(line.bench.addresses[1].host, "::1");
    EXPECT_EQ(line.bench.streams, 8u);
    EXPECT_EQ(line.bench.direction, bench::Direction::down);
    EXPECT_TRUE(line.bench.json);
    EXPECT_EQ(parse({"bench", "serve", "--listen", "127.0.0.1:0"}).bench.load,
              BenchOptions::Load::serve);
    EXPECT_EQ(parse({"bench", "idle", "h:1", "--count", "9"}).bench.count, 9u);
    EXPECT_FALSE(parse({"bench", "rate", "h:1"}).bench.seconds);
    EXPECT_EQ(parse({"bench", "rate", "h:1", "--seconds", "2"}).bench.seconds, 2.0);
}

TEST(CommandLine, BenchSaysWhatItMisses) {
    EXPECT_THAT(error_of({"bench"}), HasSubstr("see 'hpb bench --help'"));
    EXPECT_THAT(error_of({"bench", "rate"}), HasSubstr("address"));
    EXPECT_THAT(error_of({"bench", "idle", "h:1"}), HasSubstr("--count"));
    EXPECT_THAT(error_of({"bench", "rate", "nowhere"}), HasSubstr("'nowhere'"));
    EXPECT_THAT(error_of({"bench", "rate", "h:1", "--in-fligth=3"}),
                HasSubstr("did you mean --in-flight?"));
}

}  // namespace
}  // namespace hpb::app
