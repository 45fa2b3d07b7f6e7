#include "config/agent_config.hpp"
#include "config/known_keys.hpp"
#include "unit/config/config_fixture.hpp"

namespace hpb::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr std::uint64_t kKiB = 1024;

class SessionConfigTest : public ConfigTest {
protected:
    // Both agents' options from one file; they do not differ in this.
    SessionOptions sessions(std::string_view keys) {
        inputs.flags.push_back(
            {"PortBridge:ServiceNamespace:ConnectionString",
             "Endpoint=sb://h/;SharedAccessKeyName=r;SharedAccessKey=a2V5LW9mLXNvbWUtbGVuZ3Ro",
             "-x"});
        const auto source = load(std::string(R"({ "PortBridge": { "EntityPaths": ["simple"], )"
                                             R"("PortMappings": { "1": { "EntityPath": "simple", )"
                                             R"("AcceptFromIpAddresses": ["*"] } }, )") +
                                 std::string(keys) + " } }");
        check_known_keys(source, diagnostics);
        const auto service = read_service_options(source, inputs, {}, diagnostics).session;
        diagnostics.errors.clear();  // the client finds the same again
        const auto client = read_client_options(source, inputs, {}, diagnostics).session;
        EXPECT_EQ(client.protocol, service.protocol);
        EXPECT_EQ(client.grace, service.grace);
        EXPECT_EQ(client.max_stream_window, service.max_stream_window);
        return client;
    }
};

TEST_F(SessionConfigTest, NothingSaidGivesTheDefaults) {
    const auto options = sessions(R"("ConnectionIdleSeconds": 0)");
    EXPECT_EQ(options.protocol, Protocol::automatic);
    EXPECT_EQ(options.grace, 300s);
    EXPECT_EQ(options.keep_alive, 5s);
    EXPECT_EQ(options.idle, 300s);
    EXPECT_EQ(options.max_sessions, 1024u);
    EXPECT_EQ(options.memory_budget, 256 * kKiB * kKiB);
    EXPECT_EQ(options.stream_window, 256 * kKiB);
    EXPECT_EQ(options.max_stream_window, 64 * kKiB * kKiB);
    EXPECT_THAT(errors() + warnings(), IsEmpty());
}

TEST_F(SessionConfigTest, EveryKeyIsRead) {
    const auto options =
        sessions(R"("Protocol": "V2", "SessionGraceSeconds": 604800, "KeepAliveSeconds": "1",
                    "SessionIdleSeconds": 7, "MaxSessions": 8, "MemoryBudgetMegabytes": 16,
                    "StreamWindowKilobytes": 17, "MaxStreamWindowKilobytes": 18)");
    EXPECT_EQ(options.protocol, Protocol::v2);
    EXPECT_EQ(options.grace, 168h);
    EXPECT_EQ(options.keep_alive, 1s);
    EXPECT_EQ(options.idle, 7s);
    EXPECT_EQ(options.max_sessions, 8u);
    EXPECT_EQ(options.memory_budget, 16 * kKiB * kKiB);
    EXPECT_EQ(options.stream_window, 17 * kKiB);
    EXPECT_EQ(options.max_stream_window, 18 * kKiB);
    EXPECT_THAT(errors() + warnings(), IsEmpty());
}

TEST_F(SessionConfigTest, ProtocolsHaveThreeNames) {
    EXPECT_EQ(sessions(R"("Protocol": "Auto")").protocol, Protocol::automatic);
    EXPECT_EQ(sessions(R"("Protocol": "v1")").protocol, Protocol::v1);
    EXPECT_THAT(errors(), IsEmpty());
    sessions(R"("Protocol": "v3")");
    EXPECT_THAT(errors(),
                HasSubstr("PortBridge:Protocol: unknown protocol 'v3'; write auto, v1 or v2"));
}

TEST_F(SessionConfigTest, AFlagWins) {
    inputs.flags.push_back({"PortBridge:Protocol", "v1", "--protocol"});
    EXPECT_EQ(sessions(R"("Protocol": "v2")").protocol, Protocol::v1);
}

TEST_F(SessionConfigTest, EverythingHasItsRange) {
    sessions(R"("SessionGraceSeconds": 604801, "KeepAliveSeconds": 0, "SessionIdleSeconds": 0,
                "MaxSessions": 100001, "MemoryBudgetMegabytes": 15, "StreamWindowKilobytes": 15,
                "MaxStreamWindowKilobytes": 9999999)");
    for (const char* range :
         {"SessionGraceSeconds: 604801 is out of range; write a number from 1 to 604800",
          "KeepAliveSeconds: 0 is out of range; write a number from 1 to 3600",
          "SessionIdleSeconds: 0 is", "MaxSessions: 100001 is",
          "MemoryBudgetMegabytes: 15 is out of range; write a number from 16 to 1048576",
          "StreamWindowKilobytes: 15 is", "MaxStreamWindowKilobytes: 9999999 is"}) {
        EXPECT_THAT(errors(), HasSubstr(range));
    }
}

TEST_F(SessionConfigTest, AWindowThatBeginsLargerThanItMayGrowIsAnError) {
    sessions(R"("StreamWindowKilobytes": 1024, "MaxStreamWindowKilobytes": 512)");
    EXPECT_THAT(errors(), HasSubstr("PortBridge:MaxStreamWindowKilobytes: MaxStreamWindowKilobytes "
                                    "(512) is below StreamWindowKilobytes (1024)"));
    sessions(R"("StreamWindowKilobytes": 100000)");
    EXPECT_THAT(errors(), HasSubstr("MaxStreamWindowKilobytes (65536, the default)"));
}

}  // namespace
}  // namespace hpb::config
