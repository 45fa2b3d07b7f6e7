// S14: what works and exposes a secret or the traffic is told, once each.
#include "config/exposure.hpp"

#include "config/agent_config.hpp"
#include "config/relay_config.hpp"
#include "unit/config/config_fixture.hpp"

namespace hpb::config {
namespace {

using testing::HasSubstr;

constexpr std::string_view kLongKey = "0123456789abcdef0123456789abcdef";

class ExposureTest : public ConfigTest {
protected:
    /// The warnings of a relay with this in its section.
    std::string of_relay(const std::string& more, const std::string& key, mode_t mode = 0600) {
        diagnostics = {};
        write("relay.crt", "x");
        write("relay.key", "x", 0600);
        inputs.config_file = write("relay.json",
                                   R"({"Relay": {"AccessRules": [{"Name": "root", "Key": ")" + key +
                                       R"(", "Rights": ["Manage"]}],
                                       "HybridConnections": {"simple": {}}, )" +
                                       more + "}}",
                                   mode);
        const auto source = load();
        (void)read_relay_options(source, {}, diagnostics);
        EXPECT_EQ(errors(), "");
        return warnings();
    }
    std::string of_client(const std::string& address, const std::string& key, mode_t mode = 0600) {
        diagnostics = {};
        inputs.config_file =
            write("client.json",
                  R"({"PortBridge": {"ServiceNamespace": {"ServiceNamespace": ")" + address +
                      R"(", "AccessRuleName": "send", "AccessRuleKey": ")" + key +
                      R"("}, "EntityPaths": ["simple"]}})",
                  mode);
        const auto source = load();
        (void)read_service_options(source, inputs, {}, diagnostics);
        EXPECT_EQ(errors(), "");
        return warnings();
    }
    static std::size_t lines(const std::string& text) {
        return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    }

    const std::string tls = R"("Listen": ["0.0.0.0:0"], "Tls": {"CertificateFile": "relay.crt",
                                "KeyFile": "relay.key"})";
    const std::string good{kLongKey};
};

TEST_F(ExposureTest, NothingOfASoundConfiguration) {
    EXPECT_EQ(of_relay(tls, good), "");
    EXPECT_EQ(of_relay(tls, good, 0640), "") << "a group of its own is a usual way";
    EXPECT_EQ(of_client("relay.example", good), "");
}

TEST_F(ExposureTest, AFileWithAKeyThatOthersMayRead) {
    const auto said = of_relay(tls, good, 0644);
    EXPECT_THAT(said, HasSubstr("relay.json"));
    EXPECT_THAT(said, HasSubstr("Relay:AccessRules:0:Key"));
    EXPECT_THAT(said, HasSubstr("chmod o-r"));
    EXPECT_EQ(lines(said), 1u) << said;
    EXPECT_EQ(said.find(kLongKey), std::string::npos);
    EXPECT_EQ(lines(of_client("relay.example", good, 0644)), 1u);
}

TEST_F(ExposureTest, APrivateKeyThatOthersMayRead) {
    (void)of_relay(tls, good);
    write("relay.key", "x", 0644);
    diagnostics = {};
    const auto source = load();
    (void)read_relay_options(source, {}, diagnostics);
    EXPECT_THAT(warnings(), HasSubstr("relay.key can be read by others"));
    EXPECT_EQ(lines(warnings()), 1u) << warnings();
}

TEST_F(ExposureTest, AShortKey) {
    for (const auto& said : {of_relay(tls, "k"), of_client("relay.example", "123456789012345")}) {
        EXPECT_THAT(said, HasSubstr("fewer than 16 characters"));
        EXPECT_EQ(lines(said), 1u) << said;
    }
}

TEST_F(ExposureTest, PlainConnectionsThatLeaveTheMachine) {
    EXPECT_THAT(of_relay(R"("Listen": ["127.0.0.1:0", "0.0.0.0:0"], "Insecure": true)", good),
                HasSubstr("without TLS on 0.0.0.0"));
    EXPECT_EQ(of_relay(R"("Listen": ["127.0.0.1:0", "[::1]:0"], "Insecure": true)", good), "");
    EXPECT_THAT(of_client("http://relay.example", good), HasSubstr("without TLS to relay.example"));
    EXPECT_EQ(of_client("ws://localhost:8080", good), "");
    EXPECT_EQ(of_client("ws://127.0.0.1:8080", good), "");
}

TEST_F(ExposureTest, WhatTheEnvironmentHoldsIsInNoFile) {
    inputs.environment = {{"PortBridge__ServiceNamespace__AccessRuleKey", good}};
    EXPECT_EQ(lines(of_client("relay.example", good, 0644)), 0u) << "the file's key does not count";
}

}  // namespace
}  // namespace hpb::config
