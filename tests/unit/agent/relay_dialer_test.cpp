#include "agent/relay_dialer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/message.hpp"

namespace hpb::agent {
namespace {

using testing::HasSubstr;
using testing::Not;
constexpr std::int64_t kNow = 1'700'000'000;

http::ResponseHead refusal(unsigned status, std::string reason, std::int64_t date = kNow) {
    http::ResponseHead head;
    head.status = status;
    head.reason = std::move(reason);
    head.headers.add("Date", http::format_date(date));
    return head;
}

Error explain(const http::ResponseHead& head) {
    return explain_refusal(head, "relay.example:8443", "a channel to simple", kNow);
}

TEST(Refusal, NamesRelayPurposeStatusAndReason) {
    const Error error = explain(refusal(500, "Oh dear"));
    EXPECT_THAT(error.message(), HasSubstr("relay.example:8443"));
    EXPECT_THAT(error.message(), HasSubstr("a channel to simple: 500 Oh dear"));
    EXPECT_FALSE(is_permanent(error));
}

TEST(Refusal, CannotForgeALogLine) {
    EXPECT_THAT(explain(refusal(500, "a\nb\x1b[31m")).message(), Not(HasSubstr("\n")));
}

TEST(Refusal, ByAWrongClockSaysByHowMuch) {
    EXPECT_THAT(explain(refusal(401, "Expired", kNow - 7200)).message(),
                HasSubstr("clock is 7200 s ahead of"));
    EXPECT_THAT(explain(refusal(401, "Expired", kNow + 90)).message(),
                HasSubstr("clock is 90 s behind"));
    EXPECT_THAT(explain(refusal(401, "Bad", kNow - 59)).message(), Not(HasSubstr("clock")));
}

TEST(Refusal, D12AMissingRightIsToldFromATokenThatIsNotValid) {
    const auto words = explain(
        refusal(401, "Unauthorized: 'Listen' claim(s) are required to perform this operation."));
    EXPECT_THAT(words.message(), HasSubstr("check the access rule's rights (Listen for"));
    EXPECT_TRUE(is_permanent(words));
    EXPECT_THAT(explain(refusal(403, "Forbidden")).message(), HasSubstr("rule's rights"));
    EXPECT_THAT(explain(refusal(401, "Bad")).message(), HasSubstr("rule's name and key"));
}

TEST(Refusal, IsPermanentWhereAConfigurationHasToChange) {
    EXPECT_TRUE(is_permanent(explain(refusal(401, "InvalidSignature"))));
    EXPECT_TRUE(is_permanent(explain(refusal(403, "Forbidden"))));
    EXPECT_TRUE(is_permanent(explain(refusal(404, "Endpoint does not exist."))));
    EXPECT_TRUE(is_permanent(Error(relay_errc::bad_certificate)));
    EXPECT_FALSE(is_permanent(explain(refusal(404, "There are no listeners connected."))));
    EXPECT_TRUE(is_permanent(explain(refusal(404, "Endpoint does not exist: sb://r/listeners"))));
    EXPECT_FALSE(is_permanent(explain(refusal(429, "Slow down"))));
    EXPECT_FALSE(is_permanent(explain(refusal(503, "Busy"))));
    EXPECT_FALSE(is_permanent(Error(relay_errc::unreachable)));
}

TEST(RelayDialer, MakesTokensForTheEntityOrPassesAReadyOneOn) {
    config::RelayAccess access;
    access.address.host = "contoso.servicebus.windows.net";
    access.key_name = "root";
    access.key = "k";
    const RelayDialer signing(access);
    EXPECT_THAT(signing.token("hyco"),
                HasSubstr("sr=http%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyco%2F&"));
    EXPECT_TRUE(signing.can_renew());

    config::RelayAccess ready = access;
    ready.key_name.clear();
    ready.signature = "SharedAccessSignature sr=x";
    EXPECT_EQ(RelayDialer(ready).token("hyco"), ready.signature);
    EXPECT_FALSE(RelayDialer(ready).can_renew());

    config::RelayAccess anonymous;
    EXPECT_EQ(RelayDialer(anonymous).token("hyco"), "");
    EXPECT_FALSE(RelayDialer(anonymous).can_renew());
}

TEST(RelayDialer, RefusesACaThatIsNone) {
    config::RelayAccess access;
    access.address.host = "relay.example";
    access.ca_pem = "no certificate";
    EXPECT_FALSE(RelayDialer::create(access, "client"));
}

}  // namespace
}  // namespace hpb::agent
