#include "relay/access.hpp"

#include <gtest/gtest.h>

#include "hc/sas_token.hpp"

namespace hpb::relay {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;

config::AccessRule rule(std::string name, std::string key) {
    config::AccessRule r;
    r.name = std::move(name);
    r.key = std::move(key);
    return r;
}

class AccessTest : public testing::Test {
protected:
    AccessTest() {
        namespace_rules_.push_back(rule("root", "root-key"));
        namespace_rules_.back().manage = true;
        namespace_rules_.back().secondary_key = "root-key-2";
        entity_rules_.push_back(rule("listen", "listen-key"));
        entity_rules_.back().listen = true;
        entity_rules_.push_back(rule("send", "send-key"));
        entity_rules_.back().send = true;
    }

    unsigned status(const std::string& token, Right right, std::string_view path = "hyco") {
        AccessRequest request;
        request.token = token;
        request.right = right;
        request.request_path = path;
        request.host_names = names_;
        request.host = "relay.example";
        request.now = kNow;
        request.skew = 30;
        const auto grant = check_access(request, entity_rules_, namespace_rules_);
        return grant ? 0 : grant.error().status;
    }

    static std::string token(std::string_view resource, std::string_view name, std::string_view key,
                             std::int64_t expiry = kNow + 3600) {
        return hc::make_sas_token(resource, name, key, expiry);
    }

    std::vector<std::string> names_{"other.example"};
    std::vector<config::AccessRule> entity_rules_;
    std::vector<config::AccessRule> namespace_rules_;
};

TEST_F(AccessTest, BothKeysOfARuleAreGood) {
    EXPECT_EQ(status(token("http://relay.example/hyco/", "root", "root-key"), Right::listen), 0u);
    EXPECT_EQ(status(token("http://relay.example/hyco/", "root", "root-key-2"), Right::send), 0u);
    EXPECT_EQ(status(token("http://relay.example/hyco/", "root", "root-key-3"), Right::send), 401u);
}

TEST_F(AccessTest, ARuleWithoutASecondKeyIsNotSignedByTheEmptyOne) {
    EXPECT_EQ(status(token("http://relay.example/hyco/", "send", ""), Right::send), 401u);
}

TEST_F(AccessTest, RightsAreTheRulesOwn) {
    EXPECT_EQ(status(token("http://relay.example/hyco", "listen", "listen-key"), Right::listen),
              0u);
    EXPECT_EQ(status(token("http://relay.example/hyco", "listen", "listen-key"), Right::send),
              403u);
    EXPECT_EQ(status(token("http://relay.example/hyco", "send", "send-key"), Right::listen), 403u);
    EXPECT_EQ(status(token("http://relay.example/hyco", "send", "send-key"), Right::any), 0u);
}

TEST_F(AccessTest, AudienceIgnoresSchemeAndPortAndCoversWhatIsBelow) {
    for (const auto* resource : {"sb://relay.example", "https://RELAY.example:8443/",
                                 "http://relay.example:443/hyco", "http://other.example/HYCO/"}) {
        EXPECT_EQ(status(token(resource, "send", "send-key"), Right::send), 0u) << resource;
    }
    EXPECT_EQ(
        status(token("http://relay.example/hyco/sub", "send", "send-key"), Right::send, "hyco/sub"),
        0u);
    EXPECT_EQ(status(token("http://relay.example/hyco/sub", "send", "send-key"), Right::send),
              401u);
    EXPECT_EQ(status(token("http://relay.example/hycoxyz", "send", "send-key"), Right::send), 401u);
    EXPECT_EQ(status(token("http://stranger.example/hyco", "send", "send-key"), Right::send), 401u);
}

TEST_F(AccessTest, ExpiryAllowsForTheSkewAndNoMore) {
    EXPECT_EQ(status(token("http://relay.example/", "root", "root-key", kNow - 30), Right::send),
              0u);
    EXPECT_EQ(status(token("http://relay.example/", "root", "root-key", kNow - 31), Right::send),
              401u);
}

TEST_F(AccessTest, EntityRuleHidesNothingOfTheNamespaceRuleWithItsName) {
    entity_rules_.push_back(rule("ROOT", "entity-root-key"));
    entity_rules_.back().send = true;
    EXPECT_EQ(status(token("http://relay.example/hyco", "root", "root-key"), Right::listen), 0u);
    EXPECT_EQ(status(token("http://relay.example/hyco", "root", "entity-root-key"), Right::listen),
              403u);
}

TEST_F(AccessTest, MissingAndMalformedTokensAre401) {
    for (const std::string bad :
         {"", "x", "SharedAccessSignature ", "SharedAccessSignature sr=a&sig=b&se=c&skn=d"}) {
        EXPECT_EQ(status(bad, Right::send), 401u) << bad;
    }
}

}  // namespace
}  // namespace hpb::relay
