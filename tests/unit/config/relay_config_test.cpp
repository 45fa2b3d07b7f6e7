#include "config/relay_config.hpp"

#include <fmt/format.h>
#include "config/known_keys.hpp"

#include "unit/config/config_fixture.hpp"

namespace hpb::config {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class RelayConfigTest : public ConfigTest {
protected:
    RelayOptions relay(std::string_view file, const RelayFlags& flags = {}) {
        const auto source = load(file);
        check_known_keys(source, diagnostics);
        return read_relay_options(source, flags, diagnostics);
    }
};

TEST_F(RelayConfigTest, ReadsTheDocumentedExample) {
    write("program/relay.crt", "certificate");
    write("program/relay.key", "key");
    const auto options = relay(R"({ "Relay": {
    "Listen": ["127.0.0.1:8443", "[::1]:0"],
    "Tls": { "CertificateFile": "relay.crt", "KeyFile": "relay.key" },
    "AccessRules": [ { "Name": "root", "Key": "key-of-32-characters-number-0001", "SecondaryKey": "key-of-32-characters-number-0002", "Rights": ["Manage","Listen","Send"] },
                     { "Name": "in", "Key": "key-of-32-characters-number-0003", "Rights": "send" } ],
    "HostNames": ["relay.example.com"], "PublicAddress": "relay.example.com:8443",
    "HybridConnections": {
      "simple": { "RequiresClientAuthorization": true, "AccessRules": [],
                  "UserMetadata": [ { "key": "5011", "value": "tcp:localhost:5011" } ] },
      "team/open": { "RequiresClientAuthorization": false, "UserMetadata": "as it is",
                     "AccessRules": [ { "Name": "mine", "Key": "key-of-32-characters-number-0004", "Rights": ["Listen"] } ] },
      "bare": {} } } })");
    ASSERT_TRUE(diagnostics.ok()) << errors();
    EXPECT_TRUE(diagnostics.warnings.empty()) << warnings();
    ASSERT_EQ(options.listen.size(), 2u);
    EXPECT_EQ(options.listen[0].port, 8443);
    EXPECT_EQ(options.listen[1].host, "::1");
    EXPECT_EQ(options.certificate_file, directory / "program" / "relay.crt");
    ASSERT_EQ(options.access_rules.size(), 2u);
    EXPECT_TRUE(options.access_rules[0].manage && options.access_rules[0].listen);
    EXPECT_EQ(options.access_rules[0].secondary_key, "key-of-32-characters-number-0002");
    EXPECT_TRUE(options.access_rules[1].send && !options.access_rules[1].listen);
    EXPECT_EQ(options.public_address, "relay.example.com:8443");
    ASSERT_EQ(options.hybrid_connections.size(), 3u);
    EXPECT_EQ(options.hybrid_connections[0].path, "bare");
    EXPECT_FALSE(options.hybrid_connections[0].has_user_metadata);
    EXPECT_EQ(options.hybrid_connections[1].user_metadata,
              R"([{"key":"5011","value":"tcp:localhost:5011"}])");
    EXPECT_EQ(options.hybrid_connections[2].user_metadata, "as it is");
    EXPECT_FALSE(options.hybrid_connections[2].requires_client_authorization);
    EXPECT_EQ(options.hybrid_connections[2].access_rules.size(), 1u);
}

TEST_F(RelayConfigTest, UserMetadataOfTheHighestLayerWins) {
    write(
        "settings/appsettings.json",
        R"({"Relay":{"HybridConnections":{"a":{"UserMetadata":[2]},"b":{"UserMetadata":"text"}}}})");
    const auto options = relay(R"({"Relay":{"Insecure":true,"Listen":"127.0.0.1:0",
        "HybridConnections":{"a":{"UserMetadata":"one"},"b":{"UserMetadata":[1,2,3]}}}})");
    ASSERT_TRUE(diagnostics.ok()) << errors();
    EXPECT_EQ(options.hybrid_connections[0].user_metadata, "[2]");
    EXPECT_EQ(options.hybrid_connections[1].user_metadata, "text");
}

TEST_F(RelayConfigTest, FlagsAreEnough) {
    inputs.flags = {{"Relay:Tls:CertificateFile", write("c", "x"), "--cert"},
                    {"Relay:Tls:KeyFile", write("k", "x"), "--key"}};
    const auto options = relay("{}", {{"127.0.0.1:8443"},
                                      "root",
                                      write("root.key", "a-secret-of-some-length\n"),
                                      {"simple", "SIMPLE"}});
    ASSERT_TRUE(diagnostics.ok()) << errors();
    EXPECT_TRUE(diagnostics.warnings.empty()) << warnings();
    ASSERT_EQ(options.access_rules.size(), 1u);
    EXPECT_EQ(options.access_rules[0].key, "a-secret-of-some-length");
    EXPECT_TRUE(options.access_rules[0].manage);
    ASSERT_EQ(options.hybrid_connections.size(), 1u);
    EXPECT_TRUE(options.hybrid_connections[0].requires_client_authorization);
}

TEST_F(RelayConfigTest, NoCertificateIsAnErrorUnlessInsecure) {
    (void)relay(R"({"Relay":{"Listen":["0.0.0.0:1"]}})");
    EXPECT_THAT(errors(), HasSubstr("the relay has no certificate"));
    EXPECT_THAT(errors(), HasSubstr("--insecure"));
    EXPECT_EQ(diagnostics.errors.size(), 1u);
    EXPECT_TRUE(diagnostics.warnings.empty()) << warnings();
    diagnostics = {};
    const auto options = relay(R"({"Relay":{"Listen":["0.0.0.0:1"],"Insecure":true}})");
    EXPECT_TRUE(diagnostics.ok()) << errors();
    EXPECT_TRUE(options.insecure);
    EXPECT_THAT(warnings(), HasSubstr("no hybrid connection"));
}

TEST_F(RelayConfigTest, ReportsEverythingAtOnce) {
    (void)relay(R"({ "Relay": {
      "Listen": ["8443", "example.com:1", "::1:80", "1.2.3.4:99999"], "Insecure": "perhaps",
      "Tls": { "CertificateFile": "absent.crt" }, "MaxListeners": 0, "PublicAddress": "sb://x/y",
      "AccessRules": [ { "Name": "a", "Key": "k", "Rights": ["Root"] }, { "Name": "A", "Key": "k", "Rights": ["Send"] },
                       { "Key": "k", "KeyFile": "f" }, { "Name": "b", "Rights": ["Send"] } ],
      "HybridConnections": { "a b": {} } } })");
    const std::string all = errors();
    for (const char* part :
         {"Relay:Listen:0: '8443' has no port",
          "Listen:1: 'example.com:1' does not begin with an IP",
          "Listen:2: '::1:80' needs brackets", "Listen:3: '1.2.3.4:99999' has no port from 0",
          "Insecure: neither true nor false", "absent.crt can't be read",
          "Relay:Tls:KeyFile: the certificate has no", "MaxListeners: 0 is out of range",
          "Relay:PublicAddress: ", "Rights:0: unknown right 'Root'",
          "AccessRules:1:Name: another rule has this name",
          "AccessRules:2:Name: the rule has no name", "AccessRules:2:KeyFile: Key is set too",
          "AccessRules:2:Rights: the rule grants no rights",
          "AccessRules:3:Key: the rule has no key", "HybridConnections:a b: "}) {
        EXPECT_THAT(all, HasSubstr(part));
    }
    EXPECT_EQ(diagnostics.errors.size(), 16u) << all;
}

TEST_F(RelayConfigTest, TooManyRulesAndTooLongKeys) {
    std::string rules;
    for (int i = 0; i < 13; ++i) {
        rules += fmt::format(R"({{"Name":"r{}","Key":"k","Rights":["Send"]}},)", i);
    }
    (void)relay(
        fmt::format(R"({{"Relay":{{"Listen":"*:1","Insecure":true,"AccessRules":[{}]}}}})", rules));
    EXPECT_THAT(errors(), HasSubstr("too many rules; 12 is the limit"));
    diagnostics = {};
    const std::string key(257, 'k');
    (void)relay(fmt::format(R"({{"Relay":{{"Listen":"*:1","Insecure":true,
        "AccessRules":[{{"Name":"a","Key":"{}","Rights":["Send"]}}]}}}})",
                            key));
    EXPECT_THAT(errors(), HasSubstr("the key is too long"));
    EXPECT_THAT(errors(), testing::Not(HasSubstr("kkkk")));
}

TEST_F(RelayConfigTest, EveryLimitHasAKey) {
    const auto options =
        relay(R"({ "Relay": { "Listen": "localhost:0", "Insecure": true, "Threads": 2,
      "BusyPollMicroseconds": 1,
      "MaxConnections": 3, "MaxHandshakes": 4, "MaxHeadBytes": 5000, "MaxListeners": 6,
      "MaxPendingSenders": 7, "HandshakeTimeoutSeconds": 8, "RendezvousTimeoutSeconds": 9,
      "HalfCloseTimeoutSeconds": 10, "PingIntervalSeconds": 11, "TokenGraceSeconds": 12,
      "ClockSkewSeconds": 13, "RefusalDelayMilliseconds": 14 } })");
    ASSERT_TRUE(diagnostics.ok()) << errors();
    EXPECT_EQ(options.threads, 2u);
    EXPECT_EQ(options.busy_poll, 1us);
    EXPECT_EQ(options.max_connections, 3u);
    EXPECT_EQ(options.max_handshakes, 4u);
    EXPECT_EQ(options.max_head_bytes, 5000u);
    EXPECT_EQ(options.max_listeners, 6u);
    EXPECT_EQ(options.max_pending_senders, 7u);
    EXPECT_EQ(options.handshake_timeout, 8s);
    EXPECT_EQ(options.rendezvous_timeout, 9s);
    EXPECT_EQ(options.half_close_timeout, 10s);
    EXPECT_EQ(options.ping_interval, 11s);
    EXPECT_EQ(options.token_grace, 12s);
    EXPECT_EQ(options.clock_skew, 13s);
    EXPECT_EQ(options.refusal_delay, 14ms);
}

TEST_F(RelayConfigTest, HalfARuleOnTheCommandLineIsAnError) {
    (void)relay("{}", {{"*:1"}, "root", "", {}});
    EXPECT_THAT(errors(), HasSubstr("add --rule-key-file FILE"));
    (void)relay("{}", {{"*:1"}, "", "file", {}});
    EXPECT_THAT(errors(), HasSubstr("add --rule NAME"));
}

}  // namespace
}  // namespace hpb::config
