#include "hc/connection_string.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hc/sas_token.hpp"

namespace hpb::hc {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

std::string error_of(std::string_view text) {
    const auto result = parse_connection_string(text);
    if (result) return "accepted";
    EXPECT_EQ(result.error().code(), make_error_code(errc::malformed_connection_string));
    return result.error().message();
}

TEST(ConnectionString, ReadsEveryKeyIgnoringCase) {
    const auto parsed = parse_connection_string(
        "endpoint=sb://contoso.servicebus.windows.net/;;SHAREDACCESSKEYNAME=listen rule; "
        "SharedAccessKey = a=b==;EntityPath=team/hyco;OperationTimeout=00:01:30.5;");
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->endpoint, "sb://contoso.servicebus.windows.net/");
    EXPECT_EQ(parsed->key_name, "listen rule");
    EXPECT_EQ(parsed->key, "a=b==");
    EXPECT_EQ(parsed->entity_path, "team/hyco");
    EXPECT_EQ(parsed->operation_timeout, milliseconds(90'500));
    EXPECT_EQ(parsed->signature, "");
}

TEST(ConnectionString, TakesAReadyToken) {
    const auto parsed = parse_connection_string(
        "Endpoint=sb://h:8443;SharedAccessSignature=SharedAccessSignature "
        "sr=a&sig=b%3D&se=1&skn=k");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->endpoint, "sb://h:8443/");
    EXPECT_EQ(parsed->signature, "SharedAccessSignature sr=a&sig=b%3D&se=1&skn=k");
    EXPECT_EQ(parsed->operation_timeout, std::nullopt);
}

TEST(ConnectionString, NeedsNoCredentials) {
    EXPECT_TRUE(parse_connection_string("Endpoint=sb://h/;EntityPath=/hyco/"));
}

TEST(ConnectionString, RefusesForbiddenCombinations) {
    EXPECT_THAT(error_of(""), HasSubstr("'Endpoint' is missing"));
    EXPECT_THAT(error_of("Endpoint=sb://h/;SharedAccessKeyName=k"), HasSubstr("SharedAccessKey'"));
    EXPECT_THAT(error_of("Endpoint=sb://h/;SharedAccessKey=k"), HasSubstr("SharedAccessKeyName"));
    EXPECT_THAT(error_of("Endpoint=sb://h/;SharedAccessKeyName=k;SharedAccessKey=v;"
                         "SharedAccessSignature=s"),
                HasSubstr("cannot be combined"));
    EXPECT_THAT(error_of("Endpoint=sb://h/;endpoint=sb://h/"), HasSubstr("twice"));
    EXPECT_THAT(error_of("Endpoint=sb://h/;Authentication=Managed Identity"),
                HasSubstr("not supported"));
    EXPECT_THAT(error_of("Endpoint=sb://h/hyco"), HasSubstr("EntityPath"));
    EXPECT_THAT(error_of("Endpoint=h"), HasSubstr("sb://host/"));
    EXPECT_THAT(error_of("Endpoint=sb://h/;EntityPath=a b"), HasSubstr("'EntityPath'"));
    EXPECT_THAT(
        error_of("Endpoint=sb://h/;SharedAccessKeyName=k;SharedAccessKey=" + std::string(257, 'v')),
        HasSubstr("longer than 256"));
    EXPECT_THAT(error_of("Endpoint=sb://h/;" + std::string(20'000, ';')), HasSubstr("longer"));
}

TEST(ConnectionString, NamesAnUnknownKeyAndGuesses) {
    EXPECT_THAT(error_of("Endpoint=sb://h/;EntitiPath=x"),
                HasSubstr("'EntitiPath'; did you mean 'EntityPath'?"));
}

TEST(ConnectionString, ErrorsNeverShowSecrets) {
    for (const auto* text :
         {"Endpoint=sb://h/;SharedAccessKeyName=k;SharedAccesKey=sEcReT",
          "Endpoint=sb://h/;sEcReTsEcReTsEcReTsEcReTsEcReT=", "Endpoint=sb://h/;sEcReT",
          "Endpoint=sb://h/;SharedAccessKey=sEcReT", "SharedAccessKey=sEcReT;SharedAccessKeyName=n",
          "Endpoint=sb://h/;OperationTimeout=sEcReT"}) {
        EXPECT_THAT(error_of(text), Not(HasSubstr("sEcReT"))) << text;
    }
}

TEST(ConnectionString, ReadsTimeoutsOfBothKinds) {
    const auto timeout = [](const std::string& text) {
        const auto parsed = parse_connection_string("Endpoint=sb://h/;OperationTimeout=" + text);
        return parsed ? parsed->operation_timeout : std::nullopt;
    };
    EXPECT_EQ(timeout("30"), milliseconds(30'000));
    EXPECT_EQ(timeout("00:00:00.0010000"), milliseconds(1));
    EXPECT_EQ(timeout("01:30"), milliseconds(90 * 60'000));
    EXPECT_EQ(timeout("1.02:03:04"), milliseconds(93'784'000));
    for (const auto* bad :
         {"0", "-1", "00:00:00", "00:60:00", "24:00:00", "00:00:61", "1:2:3:4", "x", "",
          "00:00:01.", "00:00:01.12345678", "25.00:00:00", "99999999999999999999", "+5"}) {
        EXPECT_EQ(timeout(bad), std::nullopt) << bad;
    }
}

}  // namespace
}  // namespace hpb::hc
