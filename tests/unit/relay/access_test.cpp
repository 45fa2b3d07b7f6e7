#include "relay/access.hpp"

#include <gtest/gtest.h>

#include "hc/sas_token.hpp"
#include "relay/request_token.hpp"

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
        sentence_ = grant ? "" : grant.error().sentence;
        return grant ? 0 : grant.error().status;
    }

    static std::string token(std::string_view resource, std::string_view name, std::string_view key,
                             std::int64_t expiry = kNow + 3600) {
        return hc::make_sas_token(resource, name, key, expiry);
    }

    std::vector<std::string> names_{"relay.example", "other.example"};
    std::string sentence_;
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
              401u);
    // D12: the words and the status of Azure Relay.
    EXPECT_EQ(sentence_, "Unauthorized: 'Send' claim(s) are required to perform this operation");
    EXPECT_EQ(status(token("http://relay.example/hyco", "send", "send-key"), Right::listen), 401u);
    EXPECT_EQ(sentence_, "Unauthorized: 'Listen' claim(s) are required to perform this operation");
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
              401u);
}

TEST_F(AccessTest, MissingAndMalformedTokensAre401) {
    for (const std::string bad :
         {"", "x", "SharedAccessSignature ", "SharedAccessSignature sr=a&sig=b&se=c&skn=d"}) {
        EXPECT_EQ(status(bad, Right::send), 401u) << bad;
    }
}

TEST_F(AccessTest, I1AMalformedTokenIsRefusedWithTheReason) {
    const std::pair<std::string, const char*> rows[] = {
        {"x", "it does not begin with 'SharedAccessSignature '"},
        {"SharedAccessSignature", "no space follows"},
        {"SharedAccessSignature+sr=a&sig=b&se=1&skn=d", "still URL-encoded"},
        {"SharedAccessSignature%20sr%3Da", "still URL-encoded"},
        {"SharedAccessSignature sr=a&sig=b&se=1", "'skn' is missing"},
        {"SharedAccessSignature sr=a&sr=a&sig=b&se=1&skn=d", "'sr' occurs twice"},
        {"SharedAccessSignature sr=a&sig=b&se=soon&skn=d", "'se' is not a number"},
        {"SharedAccessSignature sr=a&sig=%z&se=1&skn=d", "'sig' has a broken escape"},
        {"SharedAccessSignature " + std::string(5000, 'x'), "longer than 4096"},
    };
    for (const auto& [text, why] : rows) {
        EXPECT_EQ(status(text, Right::send), 401u) << text;
        EXPECT_TRUE(sentence_.starts_with("MalformedToken: ")) << sentence_;
        EXPECT_NE(sentence_.find(why), std::string::npos) << sentence_;
    }
}

TEST_F(AccessTest, D13AWebTokenIsNamedAsOne) {
    for (const std::string prefix : {"", "Bearer ", "bearer "}) {
        for (const std::size_t size : {20u, 5000u, 16000u}) {
            const std::string jwt = "eyJ0eXAi." + std::string(size, 'a') + ".c2ln-_";
            EXPECT_EQ(status(prefix + jwt, Right::listen), 401u);
            EXPECT_EQ(sentence_,
                      "UnsupportedToken: a Microsoft Entra ID token; this relay accepts shared "
                      "access signatures");
        }
    }
    EXPECT_EQ(status("Bearer eyJ0eXAi." + std::string(20000, 'a') + ".c2ln", Right::listen), 401u);
    EXPECT_TRUE(sentence_.starts_with("MalformedToken")) << sentence_;
}

TEST_F(AccessTest, S15ATokenForAnotherHostIsRefusedWhereTheRelaysNamesAreConfigured) {
    const auto mine = token("http://relay.example/hyco", "send", "send-key");
    names_ = {"public.example"};
    EXPECT_EQ(status(mine, Right::send), 401u) << "the Host header is the client's word";
    EXPECT_NE(sentence_.find("'relay.example', which is not a name of this relay"),
              std::string::npos)
        << sentence_;
    EXPECT_EQ(status(token("http://public.example/hyco", "send", "send-key"), Right::send), 0u);
    names_.clear();
    EXPECT_EQ(status(mine, Right::send), 0u);
    EXPECT_EQ(status(token("http://public.example/hyco", "send", "send-key"), Right::send), 401u);
}

TEST_F(AccessTest, S16AnExpiryBeyondAllReasonIs400) {
    for (const std::int64_t expiry :
         {INT64_MAX, INT64_MAX - 30, std::int64_t{2'000'000'000'000'000}}) {
        EXPECT_EQ(
            status(token("http://relay.example/hyco", "send", "send-key", expiry), Right::send),
            400u)
            << expiry;
    }
    EXPECT_EQ(status("SharedAccessSignature sr=a&sig=b&se=9223372036854775808&skn=d", Right::send),
              400u);
    EXPECT_EQ(
        status(token("http://relay.example/hyco", "send", "send-key", kNow * 1000), Right::send),
        0u);
}

TEST(FindToken, I9AnEmptyOneIsIgnored) {
    using Place = RequestToken::Place;
    http::Headers headers;
    EXPECT_EQ(find_token(headers, "sb-hc-token=").place, Place::none);
    headers.add("Authorization", "a");
    EXPECT_EQ(find_token(headers, "sb-hc-token=&x=y").text, "a");
    EXPECT_EQ(find_token(headers, "sb-hc-token=+&x=y").place, Place::authorization);
    headers.add("ServiceBusAuthorization", "");
    EXPECT_EQ(find_token(headers, "").place, Place::authorization);
    headers.add("ServiceBusAuthorization", "s");
    EXPECT_EQ(find_token(headers, "").text, "s");
    EXPECT_EQ(find_token(headers, "sb-hc-token=q+r").text, "q r");
}

TEST(FindToken, S12TheRelaysTokenIsHiddenFromListeners) {
    using Place = RequestToken::Place;
    EXPECT_TRUE(hides_authorization({"anything", Place::authorization}, true));
    EXPECT_FALSE(hides_authorization({"Basic abc", Place::authorization}, false));
    EXPECT_TRUE(hides_authorization({"SharedAccessSignature sr=", Place::authorization}, false));
    EXPECT_FALSE(hides_authorization({"s", Place::service_bus_header}, true));
}

}  // namespace
}  // namespace hpb::relay
