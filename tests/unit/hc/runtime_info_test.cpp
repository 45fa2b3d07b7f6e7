#include "hc/runtime_info.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hc/sas_token.hpp"

namespace hpb::hc {
namespace {

using testing::HasSubstr;

void expect_malformed(std::string_view xml) {
    const auto result = parse_atom_entry(xml);
    ASSERT_FALSE(result) << xml;
    EXPECT_EQ(result.error().code(), make_error_code(errc::malformed_runtime_information));
}

std::string entry(std::string_view description) {
    return "<entry xmlns='http://www.w3.org/2005/Atom'><content type='application/xml'>\n"
           "<HybridConnectionDescription xmlns:i='http://www.w3.org/2001/XMLSchema-instance'>" +
           std::string(description) + "</HybridConnectionDescription></content></entry>";
}

TEST(AtomEntry, SurvivesTheRoundTrip) {
    const RuntimeInformation in{
        1767323045, 1767398400, false, true, "[{\"key\":\"1\",\"value\":\"<&>\"}]\n\xc3\xb8", 2};
    const auto out = parse_atom_entry(to_atom_entry(in, "relay.example", "team/hyco"));
    ASSERT_TRUE(out) << out.error().message();
    EXPECT_EQ(out->created_at, in.created_at);
    EXPECT_EQ(out->updated_at, in.updated_at);
    EXPECT_FALSE(out->requires_client_authorization);
    EXPECT_TRUE(out->has_user_metadata);
    EXPECT_EQ(out->user_metadata, in.user_metadata);
    EXPECT_EQ(out->listener_count, 2);
}

TEST(AtomEntry, HasItsElementsInTheOrderThatReadersDemand) {
    const auto xml =
        to_atom_entry({1767323045, 1767398400, true, true, "demo", 2}, "relay.example", "hyco");
    EXPECT_THAT(xml, HasSubstr("<id>https://relay.example/hyco?api-version=2016-07</id>"));
    EXPECT_THAT(xml, HasSubstr("<HybridConnectionDescription xmlns=\"http://schemas.microsoft.com/"
                               "netservices/2010/10/servicebus/connect\""));
    std::size_t last = 0;
    for (const auto* element :
         {"<CreatedAt>2026-01-02T03:04:05.0000000Z</CreatedAt>",
          "<UpdatedAt>2026-01-03T00:00:00.0000000Z</UpdatedAt>",
          "<RequiresClientAuthorization>true</RequiresClientAuthorization>",
          "<UserMetadata>demo</UserMetadata>", "<ListenerCount>2</ListenerCount>"}) {
        const auto at = xml.find(element);
        ASSERT_NE(at, std::string::npos) << element;
        EXPECT_GT(at, last);
        last = at;
    }
}

TEST(AtomEntry, LeavesAbsentMetadataOut) {
    const auto xml = to_atom_entry({}, "h", "e");
    EXPECT_EQ(xml.find("UserMetadata"), std::string::npos);
    EXPECT_FALSE(parse_atom_entry(xml)->has_user_metadata);
}

TEST(AtomEntry, TextCannotBecomeMarkup) {
    const auto xml =
        to_atom_entry({0, 0, true, true, "</UserMetadata><ListenerCount>9\x01", 1}, "h<i>", "a&b");
    const auto out = parse_atom_entry(xml);
    ASSERT_TRUE(out);
    EXPECT_EQ(out->listener_count, 1);
    EXPECT_EQ(out->user_metadata, "</UserMetadata><ListenerCount>9 ");
}

TEST(AtomEntry, ReadsPrefixesCdataAndDefaults) {
    const auto info = parse_atom_entry(
        "\xef\xbb\xbf<?xml version='1.0'?><a:entry xmlns:a='x'><a:title/><a:content>"
        "<s:HybridConnectionDescription><s:AuthorizationRules><x/></s:AuthorizationRules>"
        "<s:UserMetadata>a<![CDATA[<b>]]>&amp;&#99;</s:UserMetadata>"
        "</s:HybridConnectionDescription></a:content></a:entry>");
    ASSERT_TRUE(info) << info.error().message();
    EXPECT_EQ(info->user_metadata, "a<b>&c");
    EXPECT_TRUE(info->requires_client_authorization);
    EXPECT_EQ(info->created_at, 0);
    EXPECT_EQ(info->listener_count, 0);
}

TEST(AtomEntry, ANilElementIsNoMetadata) {
    EXPECT_FALSE(parse_atom_entry(entry("<UserMetadata i:nil='true'/>"))->has_user_metadata);
    EXPECT_TRUE(parse_atom_entry(entry("<UserMetadata/>"))->has_user_metadata);
    EXPECT_EQ(parse_atom_entry(entry("<ListenerCount>x</ListenerCount>"))->listener_count, 0);
}

TEST(AtomEntry, RefusesOtherDocuments) {
    expect_malformed("");
    expect_malformed("not xml");
    expect_malformed("<html/>");
    expect_malformed("<entry/>");
    expect_malformed("<entry><content/></entry>");
    expect_malformed("<entry><content><HybridConnectionDescription></entry>");
    expect_malformed("<entry>" + std::string(1024 * 1024, ' ') + "</entry>");
    EXPECT_THAT(parse_atom_entry("<feed xmlns='http://www.w3.org/2005/Atom'/>").error().message(),
                HasSubstr("no hybrid connection"));
}

TEST(AtomEntry, RefusesDocumentTypesAndKnowsNoOtherEntities) {
    expect_malformed("<!DOCTYPE e [<!ENTITY a 'aaaa'>]>" +
                     entry("<UserMetadata>&a;</UserMetadata>"));
    EXPECT_EQ(parse_atom_entry(entry("<UserMetadata>&a;</UserMetadata>"))->user_metadata, "&a;");
}

TEST(ErrorDocument, GoesBothWays) {
    const auto xml = to_error_document(404, "no <x> & y. TrackingId:1");
    EXPECT_EQ(xml,
              "<Error><Code>404</Code><Detail>no &lt;x&gt; &amp; y. TrackingId:1</Detail></Error>");
    EXPECT_EQ(parse_error_document(xml), "no <x> & y. TrackingId:1");
    EXPECT_EQ(parse_error_document("<a><b><Detail> one\ntwo </Detail><Detail>3</Detail></b></a>"),
              "one?two");
    EXPECT_EQ(parse_error_document("<Error/>"), "");
    EXPECT_EQ(parse_error_document("plain text"), "");
}

}  // namespace
}  // namespace hpb::hc
