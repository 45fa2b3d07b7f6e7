#include "config/agent_config.hpp"

#include <fmt/format.h>

#include "config/known_keys.hpp"
#include "unit/config/config_fixture.hpp"

namespace hpb::config {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

constexpr std::string_view kSecret = "c2VjcmV0LWtleS1uZXZlci1zaG93bg==";

class AgentConfigTest : public ConfigTest {
protected:
    ClientOptions client(std::string_view file, const ClientFlags& flags = {}) {
        const auto source = load(file);
        check_known_keys(source, diagnostics);
        return read_client_options(source, inputs, flags, diagnostics);
    }
    ServiceOptions service(std::string_view file, const ServiceFlags& flags = {}) {
        const auto source = load(file);
        check_known_keys(source, diagnostics);
        return read_service_options(source, inputs, flags, diagnostics);
    }
    void TearDown() override {
        EXPECT_THAT(errors() + warnings(), Not(HasSubstr(std::string(kSecret))));
        ConfigTest::TearDown();
    }
};

// The shape of the file that the existing bridge ships.
constexpr std::string_view kClientFile = R"({
  "AgentMetrics": { "MetricsOptions": { "GlobalTags": { "site": "a" } },
                    "ReportingOptions": { "ReportConsole": true } },
  "PortBridge": {
    // the relay
    "ServiceNamespace": { "ServiceNamespace": "contoso.servicebus.windows.net",
                          "AccessRuleName": "RootManageSharedAccessKey",
                          "AccessRuleKey": "c2VjcmV0LWtleS1uZXZlci1zaG93bg==" },
    "PortMappings": {
      "5021": { "EntityPath": "simple", "RemoteConfigurationKey": "5011",
                "AcceptFromIpAddresses": [ "127.0.0.1", "10.0.0.1-10.0.0.9", "", ] },
      "5010": { "EntityPath": "/localhost/", "RemoteConfigurationKey": 5010, "BindToAddress": "localhost",
                "AcceptFromIpAddresses": ["*"], "RelayChannelCount": 3, "RelayConnectionTtlSeconds": -1 },
    } } })";

TEST_F(AgentConfigTest, ExistingClientFileWorksUnchanged) {
    const auto options = client(kClientFile);
    EXPECT_TRUE(diagnostics.ok()) << errors();
    EXPECT_TRUE(diagnostics.warnings.empty()) << warnings();
    EXPECT_EQ(options.relay.address.host, "contoso.servicebus.windows.net");
    EXPECT_EQ(options.relay.address.port, 443);
    EXPECT_EQ(options.relay.key_name, "RootManageSharedAccessKey");
    EXPECT_EQ(options.relay.key, kSecret);
    ASSERT_EQ(options.mappings.size(), 2u);
    const auto& first = options.mappings[0];
    EXPECT_EQ(first.port, 5010);
    EXPECT_EQ(first.entity, "localhost");
    EXPECT_EQ(first.bind_address, "127.0.0.1");
    EXPECT_EQ(first.relay_channel_count, 3);
    EXPECT_EQ(first.relay_connection_ttl, -1s);
    const auto& second = options.mappings[1];
    EXPECT_EQ(second.remote_configuration_key, 5011);
    EXPECT_EQ(second.bind_address, "0.0.0.0");
    EXPECT_EQ(second.relay_connection_ttl, 300s);
    EXPECT_TRUE(second.accept_from.admits(*parse_ip("10.0.0.5")));
    EXPECT_FALSE(second.accept_from.admits(*parse_ip("10.0.0.10")));
}

TEST_F(AgentConfigTest, EnvironmentOverridesOneKeyOfAFile) {
    inputs.environment = {
        {"PortBridge__PortMappings__5021__EntityPath", "other"},
        {"PORTBRIDGE__SERVICENAMESPACE__SERVICENAMESPACE", "relay.example.com:8443"},
        {"PortBridge__PortMappings__5021__AcceptFromIpAddresses__0", "*"}};
    const auto options = client(kClientFile);
    EXPECT_TRUE(diagnostics.ok()) << errors();
    EXPECT_EQ(options.relay.address.port, 8443);
    EXPECT_EQ(options.mappings[1].entity, "other");
    EXPECT_TRUE(options.mappings[1].accept_from.admits(*parse_ip("::1")));
}

TEST_F(AgentConfigTest, ReportsEverythingAtOnce) {
    (void)client(R"({ "PortBridge": {
      "ServiceNamespace": { "AccessRuleKey": "c2VjcmV0LWtleS1uZXZlci1zaG93bg==" },
      "PortMappings": { "abc": { "EntityPath": "a" }, "70000": { "EntityPath": "a" },
        "5021": { "BindToAddress": "example.com", "AcceptFromIpAddresses": ["10.0.0.0/40"],
                  "RelayChannelCount": 0, "RemoteConfigurationKey": "x" } },
      "ChannelsUnderLoad": 65, "ChannelIdleSeconds": -5 } })");
    const std::string all = errors();
    for (const char* part :
         {"ServiceNamespace:ServiceNamespace: the relay's host name is missing",
          "AccessRuleName: the access rule's name is missing",
          "PortMappings:abc: the key of a mapping", "PortMappings:70000: the key of a mapping",
          "5021:EntityPath: the hybrid connection is missing",
          "5021:BindToAddress: 'example.com' is not a valid IP address",
          "AcceptFromIpAddresses:0: '10.0.0.0/40'",
          "RelayChannelCount: 0 is out of range; write a number from 1 to 64",
          "RemoteConfigurationKey: not a whole number",
          "ChannelsUnderLoad: 65 is out of range; write a number from 1 to 64",
          "ChannelIdleSeconds: -5 is out of range"}) {
        EXPECT_THAT(all, HasSubstr(part));
    }
    EXPECT_EQ(diagnostics.errors.size(), 11u) << all;
    EXPECT_THAT(all, HasSubstr("program/appsettings.json"));
    EXPECT_THAT(warnings(), HasSubstr("nobody may connect to this port"));
}

/// D15: numbers, keys and addresses in every form that .NET's configuration takes.
TEST_F(AgentConfigTest, ReadsValuesAsDotnetDoes) {
    const auto options = client(R"({ "PortBridge": {
      "ServiceNamespace": { "ServiceNamespace": "r", "AccessRuleName": "n", "AccessRuleKey": "c2VjcmV0LWtleS1uZXZlci1zaG93bg==" },
      "PortMappings": {
        " 5021": { "EntityPath": "a", "RemoteConfigurationKey": "0x1393", "RelayChannelCount": 100,
                   "AcceptFromIpAddresses": ["*", "junk", "10.0.0.1"] },
        "+5022": { "EntityPath": "a", "RemoteConfigurationKey": " 5011 ", "RelayChannelCount": "",
                   "RelayConnectionTtlSeconds": "+60",
                   "AcceptFromIpAddresses": ["10.1.34.01-10.1.34.255", "10.0.0.9-10.0.0.1"] },
        "5023": { "EntityPath": "a", "RemoteConfigurationKey": "&h1393", "BindToAddress": "127.1",
                  "AcceptFromIpAddresses": ["*"] },
        "5024": { "EntityPath": "a", "RemoteConfigurationKey": "+5011", "BindToAddress": "10.0.0.01",
                  "AcceptFromIpAddresses": ["*"] } } } })");
    ASSERT_TRUE(diagnostics.ok()) << errors();
    ASSERT_EQ(options.mappings.size(), 4u);
    for (const auto& mapping : options.mappings) {
        EXPECT_EQ(mapping.remote_configuration_key, 5011);
        const bool is_5021 = mapping.port == 5021;
        EXPECT_EQ(mapping.relay_channel_count, is_5021 ? 64 : 1);
        if (mapping.port == 5022) EXPECT_EQ(mapping.relay_connection_ttl, 60s);
        if (mapping.port == 5023) EXPECT_EQ(mapping.bind_address, "127.0.0.1");
        if (mapping.port == 5024) EXPECT_EQ(mapping.bind_address, "10.0.0.1");
    }
    EXPECT_EQ(diagnostics.warnings.size(), 4u) << warnings();
    EXPECT_THAT(warnings(), HasSubstr("100 channels are too many; 64 are used"));
    EXPECT_THAT(warnings(), HasSubstr("'junk' is not *, an IP address, first-last or "
                                      "address/prefix, and has no effect after *; remove it"));
    EXPECT_THAT(warnings(), HasSubstr("ends before it begins, so it admits nobody"));
    EXPECT_THAT(warnings(), HasSubstr("BindToAddress: '127.1' means 127.0.0.1 in .NET and here"));
}

/// D15: booleans as BooleanConverter reads them, and no more.
TEST_F(AgentConfigTest, ReadsBooleansAsDotnetDoes) {
    const auto is_used = [&](std::string_view text) {
        diagnostics = {};
        const auto options = service(fmt::format(R"({{ "PortBridge": {{ "UseUserMetadata": {},
              "ServiceNamespace": {{ "ServiceNamespace": "r", "AccessRuleName": "n", "AccessRuleKey": "c2VjcmV0LWtleS1uZXZlci1zaG93bg==" }},
              "EntityPaths": ["a"], "Targets": {{ " 0x1393 ": "h:1" }} }} }})",
                                                 text));
        EXPECT_EQ(options.entities.at(0).targets.count(5011), 1u);
        return options.entities.at(0).use_user_metadata;
    };
    for (const char* no : {"false", R"("False")", R"(" FALSE ")"}) {
        EXPECT_FALSE(is_used(no)) << no;
        EXPECT_TRUE(diagnostics.ok()) << errors();
    }
    EXPECT_TRUE(is_used(R"(" True ")"));
    EXPECT_TRUE(is_used(R"("")"));
    EXPECT_TRUE(diagnostics.ok()) << errors();
    (void)is_used("0");
    EXPECT_THAT(errors(), HasSubstr("neither true nor false; write true or false"));
}

/// D9: only a client agent, and only by name.
TEST_F(AgentConfigTest, SendersMayDoWithoutAnAccessRule) {
    const std::string mapping =
        R"("PortMappings": { "5021": { "EntityPath": "a", "AcceptFromIpAddresses": ["*"] } })";
    const auto with = [&](std::string_view keys) {
        diagnostics = {};
        return fmt::format(
            R"({{ "PortBridge": {{ "ServiceNamespace": {{ "ServiceNamespace": "r"{} }},
                               "EntityPaths": ["a"], {} }} }})",
            keys, mapping);
    };
    EXPECT_TRUE(client(with(R"(, "NoAuthentication": true)")).relay.anonymous);
    EXPECT_TRUE(diagnostics.ok()) << errors();
    EXPECT_TRUE(diagnostics.warnings.empty()) << warnings();

    (void)client(with(""));
    EXPECT_THAT(errors(),
                HasSubstr("a client agent can do without it, with --no-auth (NoAuthentication)"));
    (void)service(with(R"(, "NoAuthentication": true)"));
    EXPECT_THAT(errors(), HasSubstr("the access rule's name is missing"));
    EXPECT_THAT(warnings(), HasSubstr("only the client agent can work without a key"));

    const char* both =
        R"(, "NoAuthentication": true, "AccessRuleName": "n", "AccessRuleKey": "c2VjcmV0LWtleS1uZXZlci1zaG93bg==")";
    const auto options = client(with(both));
    EXPECT_TRUE(options.relay.anonymous);
    EXPECT_EQ(options.relay.key_name, "");
    EXPECT_THAT(warnings(), HasSubstr("the access rule beside it is not used"));
    inputs.flags = {{"PortBridge:ServiceNamespace:AccessRuleName", "m", "--rule"}};
    EXPECT_FALSE(client(with(both)).relay.anonymous);
    inputs.flags = {{"PortBridge:ServiceNamespace:NoAuthentication", "true", "--no-auth"}};
    EXPECT_TRUE(
        client(
            with(R"(, "AccessRuleName": "n", "AccessRuleKey": "c2VjcmV0LWtleS1uZXZlci1zaG93bg==")"))
            .relay.anonymous);
    EXPECT_TRUE(diagnostics.warnings.empty()) << warnings();
}

/// F8: key files as editors of other systems write them.
TEST_F(AgentConfigTest, KeyFilesOfOtherSystems) {
    const auto key_of = [&](std::string_view content) {
        diagnostics = {};
        write("program/root.key", content);
        return client(R"({ "PortBridge": { "ServiceNamespace": { "ServiceNamespace": "r",
          "AccessRuleName": "n", "AccessRuleKeyFile": "root.key" },
          "PortMappings": { "1": { "EntityPath": "a", "AcceptFromIpAddresses": ["*"] } } } })")
            .relay.key;
    };
    const std::string key(kSecret);
    for (const auto& good : {key, key + "\n", key + "\r\n", "\xef\xbb\xbf" + key + "\r\n",
                             key + " \t\r\n\r\n\n", "\n " + key, "\xef\xbb\xbf\r\n" + key}) {
        EXPECT_EQ(key_of(good), kSecret);
        EXPECT_TRUE(diagnostics.ok()) << errors();
    }
    std::string little;
    std::string big;
    for (const char c : key + "\r\n") {
        little += std::string{c, '\0'};
        big += std::string{'\0', c};
    }
    for (const auto& wide : {"\xff\xfe" + little, "\xfe\xff" + big, little, big}) {
        (void)key_of(wide);
        EXPECT_THAT(errors(), HasSubstr("root.key is UTF-16; save it as UTF-8"));
    }
    for (const auto& two : {key + "\n" + key, key + "\r" + key}) {
        (void)key_of(two);
        EXPECT_THAT(errors(), HasSubstr("more than one line"));
    }
    // A connection string that a shell has read from such a file.
    inputs.environment = {{"HPB_CONNECTION_STRING",
                           "\xef\xbb\xbf"
                           "Endpoint=sb://r/;SharedAccessKeyName=n;SharedAccessKey=" +
                               key + "\r\n"}};
    EXPECT_EQ(client("{}", {{"1:a"}, 1, 300s}).relay.key, kSecret);
    inputs.environment.clear();
    (void)key_of("\xef\xbb\xbf\r\n");
    EXPECT_THAT(errors(), HasSubstr("root.key is empty"));
}

TEST_F(AgentConfigTest, NothingToDoIsAnError) {
    (void)client("{}");
    EXPECT_THAT(errors(), HasSubstr("program/appsettings.json: PortBridge:PortMappings: "
                                    "there is no port to listen on"));
    (void)service("{}");
    EXPECT_THAT(errors(), HasSubstr("there is no hybrid connection to serve"));
}

TEST_F(AgentConfigTest, MappingFlags) {
    inputs.flags = {{"PortBridge:ServiceNamespace:ConnectionString",
                     "Endpoint=sb://127.0.0.1:8443/;SharedAccessKeyName=root;SharedAccessKey=" +
                         std::string(kSecret),
                     "-x"}};
    const auto options = client("{}", {{"15432/5011:simple", "[::1]:0:a/b", "*:80:c"}, 4, 60s});
    ASSERT_TRUE(diagnostics.ok()) << errors();
    ASSERT_EQ(options.mappings.size(), 3u);
    EXPECT_EQ(options.mappings[0].bind_address, "127.0.0.1");
    EXPECT_EQ(options.mappings[0].port, 15432);
    EXPECT_EQ(options.mappings[0].remote_configuration_key, 5011);
    EXPECT_EQ(options.mappings[0].entity, "simple");
    EXPECT_EQ(options.mappings[0].relay_channel_count, 4);
    EXPECT_EQ(options.mappings[0].relay_connection_ttl, 60s);
    EXPECT_TRUE(options.mappings[0].accept_from.admits(*parse_ip("203.0.113.1")));
    EXPECT_EQ(options.mappings[1].bind_address, "::1");
    EXPECT_EQ(options.mappings[1].entity, "a/b");
    EXPECT_EQ(options.mappings[2].bind_address, "0.0.0.0");
    EXPECT_EQ(options.relay.key, kSecret);
    EXPECT_EQ(options.relay.address.port, 8443);
}

constexpr std::string_view kRelay =
    R"("ServiceNamespace": {"ServiceNamespace":"r","AccessRuleName":"n","AccessRuleKey":"k"})";

TEST_F(AgentConfigTest, ServiceTargetsForOneAndForAll) {
    const auto options = service(fmt::format(R"({{ "PortBridge": {{ {},
        "EntityPaths": ["simple", "other", "SIMPLE"],
        "Targets": {{ "5011": "tcp:$(e):1", "5012": "localhost:2",
                     "other": {{ "5011": "[::1]:3" }}, "third": {{ "1": "x:1" }} }} }} }})",
                                             kRelay));
    EXPECT_TRUE(diagnostics.ok()) << errors();
    ASSERT_EQ(options.entities.size(), 2u);
    EXPECT_EQ(options.entities[0].targets.at(5011), (hc::TargetAddress{"simple", 1}));
    EXPECT_EQ(options.entities[1].targets.at(5011), (hc::TargetAddress{"::1", 3}));
    EXPECT_EQ(options.entities[1].targets.at(5012), (hc::TargetAddress{"localhost", 2}));
    EXPECT_TRUE(options.entities[0].use_user_metadata);
    EXPECT_THAT(warnings(), HasSubstr("listed twice"));
    EXPECT_THAT(warnings(), HasSubstr("PortBridge:Targets:third: these targets have no effect"));
}

TEST_F(AgentConfigTest, ServiceReportsBadTargets) {
    (void)service(fmt::format(R"({{ "PortBridge": {{ {}, "EntityPaths": ["simple", "a b"],
        "Targets": {{ "simple": {{ "x": "h:1", "2": "udp:h:1" }} }} }} }})",
                              kRelay));
    EXPECT_THAT(errors(), HasSubstr("PortBridge:Targets:simple:x: its key is not a number"));
    EXPECT_THAT(errors(), HasSubstr("PortBridge:Targets:simple:2: "));
    EXPECT_THAT(errors(), HasSubstr("PortBridge:EntityPaths:1: "));
    EXPECT_EQ(diagnostics.errors.size(), 3u) << errors();
}

TEST_F(AgentConfigTest, TargetFlagsJoinTheConfiguration) {
    const auto options =
        service(fmt::format(R"({{ "PortBridge": {{ {}, "EntityPaths": ["simple"] }} }})", kRelay),
                {{"Simple:1/h:1", "new:2/h:2", "new:3/h:3"}});
    ASSERT_TRUE(diagnostics.ok()) << errors();
    ASSERT_EQ(options.entities.size(), 2u);
    EXPECT_TRUE(options.entities[0].use_user_metadata);
    EXPECT_EQ(options.entities[0].targets.size(), 1u);
    EXPECT_FALSE(options.entities[1].use_user_metadata);
    EXPECT_EQ(options.entities[1].targets.size(), 2u);
    (void)service("{}", {{"a:1/h:1", "A:1/h:2"}});
    EXPECT_THAT(errors(), HasSubstr("two targets for key 1"));
}

TEST_F(AgentConfigTest, ServiceLimits) {
    const auto options = service(fmt::format(R"({{ "PortBridge": {{ {}, "EntityPaths": "simple",
        "UseUserMetadata": true, "CloseLingerMilliseconds": 5, "ChannelIdleSeconds": 6,
        "ConnectionIdleSeconds": 7, "UnacknowledgedSeconds": 12, "ReopenAfterTargetClose": true, "ConnectTimeoutSeconds": 8,
        "MaxConnections": 9, "MaxChannels": 10, "BusyPollMicroseconds": 11 }} }})",
                                             kRelay));
    ASSERT_TRUE(diagnostics.ok()) << errors();
    EXPECT_EQ(options.close_linger, 5ms);
    EXPECT_EQ(options.channel_idle, 6s);
    EXPECT_EQ(options.connection_idle, 7s);
    EXPECT_EQ(options.unacknowledged, 12s);
    EXPECT_EQ(options.reopen_after_target_close, true);
    EXPECT_EQ(options.connect_timeout, 8s);
    EXPECT_EQ(options.max_connections, 9u);
    EXPECT_EQ(options.max_channels, 10u);
    EXPECT_EQ(options.busy_poll, 11us);
}

TEST_F(AgentConfigTest, KeyFileIsRelativeToItsConfiguration) {
    write("settings/appsettings.json",
          R"({"PortBridge":{"ServiceNamespace":{"AccessRuleKeyFile":"root.key"}}})");
    write("settings/root.key", std::string(kSecret) + "\n", 0644);
    const auto options = client(
        R"({"PortBridge":{"ServiceNamespace":{"ServiceNamespace":"sb://r:1/","AccessRuleName":"n",
            "AccessRuleKey":"replaced"},"PortMappings":{"1":{"EntityPath":"a",
            "AcceptFromIpAddresses":["*"]}}}})");
    ASSERT_TRUE(diagnostics.ok()) << errors();
    EXPECT_EQ(options.relay.key, kSecret);
    EXPECT_THAT(warnings(), HasSubstr("root.key can be read by other users; chmod 600"));
}

TEST_F(AgentConfigTest, UnusableFilesAreErrors) {
    write("program/empty.key", " \n");
    (void)client(R"({"PortBridge":{"ServiceNamespace":{"ServiceNamespace":"r","AccessRuleName":"n",
        "AccessRuleKeyFile":"empty.key","CaFile":"absent.crt"},
        "PortMappings":{"1":{"EntityPath":"a","AcceptFromIpAddresses":"*"}}}})");
    EXPECT_THAT(errors(), HasSubstr("empty.key is empty"));
    EXPECT_THAT(errors(), HasSubstr("absent.crt can't be read: No such file"));
    EXPECT_EQ(diagnostics.errors.size(), 2u) << errors();
}

TEST_F(AgentConfigTest, HigherLayerDecidesBetweenConnectionStringAndKeys) {
    inputs.environment = {{"HPB_CONNECTION_STRING",
                           "Endpoint=sb://env.example/;SharedAccessKeyName=e;SharedAccessKey=" +
                               std::string(kSecret)}};
    auto options = client(kClientFile);
    ASSERT_TRUE(diagnostics.ok()) << errors();
    EXPECT_EQ(options.relay.address.host, "env.example");
    EXPECT_EQ(options.relay.key_name, "e");

    inputs.flags = {{"PortBridge:ServiceNamespace:ServiceNamespace", "flag.example:99", "--relay"}};
    options = client(kClientFile);
    ASSERT_TRUE(diagnostics.ok()) << errors();
    EXPECT_EQ(options.relay.address.host, "flag.example");
    EXPECT_EQ(options.relay.key_name, "e");
}

TEST_F(AgentConfigTest, BrokenConnectionStringIsOneErrorWithoutItsText) {
    inputs.flags = {{"PortBridge:ServiceNamespace:ConnectionString",
                     "Endpoint=sb://r/;SharedAccessKey=" + std::string(kSecret), "-x"}};
    (void)client("{}", {{"1:a"}, 1, 300s});
    EXPECT_EQ(diagnostics.errors.size(), 1u) << errors();
    EXPECT_THAT(errors(), HasSubstr("command line -x"));
}

TEST_F(AgentConfigTest, ConnectionStringInPlaceOfAHostNameIsNotRepeated) {
    inputs.flags = {{"PortBridge:ServiceNamespace:ServiceNamespace",
                     "Endpoint=sb://r/;SharedAccessKey=" + std::string(kSecret), "--relay"}};
    (void)client("{}", {{"1:a"}, 1, 300s});
    EXPECT_THAT(errors(), HasSubstr("looks like a connection string"));
}

TEST_F(AgentConfigTest, ConnectionStringsEntityIsTheDefault) {
    inputs.flags = {{"PortBridge:ServiceNamespace:ConnectionString",
                     "Endpoint=sb://r/;EntityPath=mine;SharedAccessKeyName=n;SharedAccessKey=k",
                     "-x"}};
    const auto options = service("{}");
    ASSERT_TRUE(diagnostics.ok()) << errors();
    ASSERT_EQ(options.entities.size(), 1u);
    EXPECT_EQ(options.entities[0].path, "mine");
}

TEST_F(AgentConfigTest, ProxyComesFromConfigurationThenEnvironment) {
    inputs.environment = {{"https_proxy", "http://lower:1"},
                          {"HTTPS_PROXY", fmt::format("http://u:{}@env:8080", kSecret)}};
    EXPECT_EQ(client(kClientFile).relay.proxy.host, "env");
    inputs.environment.emplace_back("no_proxy", ".windows.net");
    EXPECT_EQ(client(kClientFile).relay.proxy.host, "");
    inputs.flags = {{"PortBridge:ServiceNamespace:Proxy", "http://flag:3128", "--proxy"}};
    EXPECT_EQ(client(kClientFile).relay.proxy.host, "flag");
    inputs.flags[0].value = "none";
    EXPECT_EQ(client(kClientFile).relay.proxy.host, "");
    inputs.flags = {{"PortBridge:ServiceNamespace:ServiceNamespace", "127.0.0.1:8443", "--relay"}};
    inputs.environment.pop_back();
    EXPECT_EQ(client(kClientFile).relay.proxy.host, "");
    ASSERT_TRUE(diagnostics.ok()) << errors();

    inputs.flags.clear();
    inputs.environment = {{"HTTPS_PROXY", fmt::format("socks5://u:{}@env:8080", kSecret)}};
    (void)client(kClientFile);
    EXPECT_THAT(errors(), HasSubstr("environment: HTTPS_PROXY: not a valid proxy address"));
}

}  // namespace
}  // namespace hpb::config
