#include "hc/sas_token.hpp"

#include <gtest/gtest.h>

#include "hc/percent.hpp"

namespace hpb::hc {
namespace {

constexpr std::string_view kRootRule = "RootManageSharedAccessKey";

struct Vector {
    const char* name;
    std::string_view key;
    std::string_view key_name;
    std::int64_t expiry;
    std::string_view encoded_resource;
    std::string_view signature;
    std::string_view host;
    std::string_view path;
};

// Tokens as the different clients make them (docs/protocol.md, "SAS tokens"); V3 and V6 are forms
// that only other clients make.
const Vector kVectors[] = {
    {"V1", "vector-key-0001", kRootRule, 1700000000,
     "http%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyco%2F",
     "O05Wt1wFOBWO84f4NYM5rU7kfkCCwq6gBR20mc+G0KQ=", "contoso.servicebus.windows.net", "hyco"},
    {"V2", "vector-key-0001", kRootRule, 1700000000,
     "http%3A%2F%2Fcontoso.servicebus.windows.net%3A443%2Fhyco",
     "DuqaTcwB4ezCDXLm0vg7SQgUeytr++lAW3Idg5rgzeI=", "contoso.servicebus.windows.net", "hyco"},
    {"V3", "vector-key-0001", kRootRule, 1700000000,
     "http%3a%2f%2fcontoso.servicebus.windows.net%2fhyco%2f",
     "VaTOrHJNcnn++ZtAOUtGJrwgUe/DPLlx2Jk8arWEZEc=", "contoso.servicebus.windows.net", "hyco"},
    {"V4", "aGVsbG8td29ybGQtdGhpcy1pcy1ub3QtZGVjb2RlZCE=", "listen rule", 4102444800,
     "http%3A%2F%2Flocalhost%2Fteam%2520a%2Fhyco%2F",
     "KNRjAgPKLiLAwV2t/lTLjqEz9J9hQDZPCqRh5g9D03o=", "localhost", "team a/hyco"},
    {"V5", "\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87-key", "send+only", 1900000000,
     "sb%3A%2F%2Fcontoso.servicebus.windows.net",
     "VcKOspIBIsREAoB2tbUyx70uL3sPJPbyvy7uEX73xWE=", "contoso.servicebus.windows.net", ""},
    {"V6", "k", "send", 4102444800, "http%3A%2F%2Flocalhost%3A8443%2Fhyco%2Fsub",
     "SmRQmOK6XL8zuBMuw5sN/2uIvelHShutc72ajtfLe7g=", "localhost", "hyco/sub"},
    {"V7", "ns-root-key", kRootRule, 4102444800, "https%3A%2F%2Frelay.example%3A8443%2F",
     "DWPOuhIGq8YLxfuJirUgD9KpbN3KFLXMVjiBzkufXqc=", "relay.example", ""},
};

std::string token_of(std::string_view resource, std::string_view signature, std::string_view expiry,
                     std::string_view key_name = kRootRule) {
    return "SharedAccessSignature sr=" + std::string(resource) + "&sig=" + form_encode(signature) +
           "&se=" + std::string(expiry) + "&skn=" + form_encode(key_name);
}

TEST(SasToken, VectorsVerifyAndNameTheirAudience) {
    for (const auto& vector : kVectors) {
        SCOPED_TRACE(vector.name);
        const auto token =
            parse_sas_token(token_of(vector.encoded_resource, vector.signature,
                                     std::to_string(vector.expiry), vector.key_name));
        ASSERT_TRUE(token) << token.error().message();
        EXPECT_EQ(token->resource, vector.encoded_resource);
        EXPECT_EQ(token->signature, vector.signature);
        EXPECT_EQ(token->expiry, vector.expiry);
        EXPECT_EQ(token->key_name, vector.key_name);
        EXPECT_TRUE(is_signed_by(*token, vector.key));
        EXPECT_FALSE(is_signed_by(*token, "another key"));
        const auto audience = parse_audience(*token);
        ASSERT_TRUE(audience) << audience.error().message();
        EXPECT_EQ(audience->host, vector.host);
        EXPECT_EQ(audience->path, vector.path);
    }
}

TEST(SasToken, IsMadeExactlyAsByTheOtherClients) {
    EXPECT_EQ(make_sas_token("http://contoso.servicebus.windows.net/hyco/", kRootRule,
                             "vector-key-0001", 1700000000),
              "SharedAccessSignature sr=http%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyco%2F&sig="
              "O05Wt1wFOBWO84f4NYM5rU7kfkCCwq6gBR20mc%2BG0KQ%3D&se=1700000000&skn="
              "RootManageSharedAccessKey");
    EXPECT_EQ(make_sas_token("http://contoso.servicebus.windows.net:443/hyco", kRootRule,
                             "vector-key-0001", 1700000000),
              "SharedAccessSignature sr=http%3A%2F%2Fcontoso.servicebus.windows.net%3A443%2Fhyco&"
              "sig=DuqaTcwB4ezCDXLm0vg7SQgUeytr%2B%2BlAW3Idg5rgzeI%3D&se=1700000000&skn="
              "RootManageSharedAccessKey");
    EXPECT_EQ(make_sas_token(audience_for("localhost", "team a/hyco"), "listen rule",
                             "aGVsbG8td29ybGQtdGhpcy1pcy1ub3QtZGVjb2RlZCE=", 4102444800),
              "SharedAccessSignature sr=http%3A%2F%2Flocalhost%2Fteam%2520a%2Fhyco%2F&sig="
              "KNRjAgPKLiLAwV2t%2FlTLjqEz9J9hQDZPCqRh5g9D03o%3D&se=4102444800&skn=listen+rule");
    EXPECT_EQ(make_sas_token("sb://contoso.servicebus.windows.net", "send+only",
                             "\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87-key", 1900000000),
              "SharedAccessSignature sr=sb%3A%2F%2Fcontoso.servicebus.windows.net&sig="
              "VcKOspIBIsREAoB2tbUyx70uL3sPJPbyvy7uEX73xWE%3D&se=1900000000&skn=send%2Bonly");
}

TEST(SasToken, ABase64LookingKeyIsUsedAsText) {
    const auto token =
        parse_sas_token(token_of("http%3A%2F%2Flocalhost%2Fteam%2520a%2Fhyco%2F",
                                 "S2Hcuv2IZ/ig6EZKeW9d+t3HQOgtcKN7Y9Qqie4qpEg=", "4102444800"));
    ASSERT_TRUE(token);
    EXPECT_FALSE(is_signed_by(*token, "aGVsbG8td29ybGQtdGhpcy1pcy1ub3QtZGVjb2RlZCE="));
}

// N1: a changed expiry; its right signature is known too.
TEST(SasToken, AChangedExpiryBreaksTheSignature) {
    const auto& v1 = kVectors[0];
    const auto forged = parse_sas_token(token_of(v1.encoded_resource, v1.signature, "1700000001"));
    ASSERT_TRUE(forged);
    EXPECT_FALSE(is_signed_by(*forged, v1.key));
    const auto right = parse_sas_token(token_of(
        v1.encoded_resource, "KllECB3lRJ5GFsR69Ee1r3j22J5sBeKf3vEayfiz5b4=", "1700000001"));
    EXPECT_TRUE(is_signed_by(*right, v1.key));
}

// N2: well signed, and for an entity whose name merely begins alike.
TEST(SasToken, ALongerNameIsAnotherAudience) {
    const auto token =
        parse_sas_token(token_of("http%3A%2F%2Fcontoso.servicebus.windows.net%2Fhycoxyz%2F",
                                 "Mua92HpnCA3GNS06WBRZ+1oydTsluQLsfo/uSW9rpis=", "1700000000"));
    ASSERT_TRUE(token);
    EXPECT_TRUE(is_signed_by(*token, "vector-key-0001"));
    EXPECT_EQ(parse_audience(*token)->path, "hycoxyz");
    EXPECT_FALSE(covers("hycoxyz", "hyco"));
    EXPECT_FALSE(covers("hyco", "hycoxyz"));
}

// N3: expiry is the caller's clock's business; the token has to say it right.
TEST(SasToken, SaysWhenItExpires) {
    const auto token = parse_sas_token(
        make_sas_token("http://contoso.servicebus.windows.net/hyco/", kRootRule, "k", 1700000000));
    EXPECT_LT(token->expiry, 1700000000 + 3600);
    EXPECT_EQ(token->expiry_text, "1700000000");
}

// N4: the signature covers the resource as it is spelt.
TEST(SasToken, ARespeltResourceBreaksTheSignature) {
    const auto token = parse_sas_token(
        token_of(kVectors[2].encoded_resource, kVectors[0].signature, "1700000000"));
    ASSERT_TRUE(token);
    EXPECT_FALSE(is_signed_by(*token, kVectors[0].key));
}

TEST(SasToken, FieldsMayComeInAnyOrderAndCase) {
    const auto token = parse_sas_token(
        "  sharedaccesssignature SE=5&SKN=a%20b&x=1&Sig=a+b%2Fc%3D&&Sr=http%3a%2f%2fh%2f ");
    ASSERT_TRUE(token) << token.error().message();
    EXPECT_EQ(token->expiry, 5);
    EXPECT_EQ(token->key_name, "a b");
    EXPECT_EQ(token->signature, "a+b/c=");  // an unescaped '+' is still base64's
    EXPECT_EQ(token->resource, "http%3a%2f%2fh%2f");
}

TEST(SasToken, RefusesWhatIsNotOne) {
    for (const std::string& text :
         {std::string(), std::string("SharedAccessSignature"), std::string("Bearer x.y.z"),
          std::string("SharedAccessSignature sr=a&sig=b&se=1"),
          std::string("SharedAccessSignature sr=a&sig=b&skn=d"),
          std::string("SharedAccessSignature sr=&sig=b&se=1&skn=d"),
          std::string("SharedAccessSignature sr=a&sig=b&se=1&skn=d&SR=a"),
          std::string("SharedAccessSignature sr=a&sig=b&se=-1&skn=d"),
          std::string("SharedAccessSignature sr=a&sig=b&se=1x&skn=d"),
          std::string("SharedAccessSignature sr=a&sig=%2&se=1&skn=d"),
          std::string("SharedAccessSignature sr=a&sig=b&se=1&skn=%zz"),
          "SharedAccessSignature sr=a&sig=b&se=1&skn=" + std::string(kMaxKeyNameSize + 1, 'n'),
          "SharedAccessSignature sr=" + std::string(kMaxTokenSize, 'a') + "&sig=b&se=1&skn=d"}) {
        const auto token = parse_sas_token(text);
        ASSERT_FALSE(token) << text;
        EXPECT_EQ(token.error().code(), make_error_code(errc::malformed_token));
    }
    const auto late =
        parse_sas_token("SharedAccessSignature sr=a&sig=b&se=99999999999999999999&skn=d");
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), make_error_code(errc::token_expiry_out_of_range));
}

Result<Audience> audience_of(std::string encoded_resource) {
    SasToken token;
    token.resource = std::move(encoded_resource);
    return parse_audience(token);
}

TEST(Audience, IgnoresSchemePortUserQueryAndFragment) {
    for (const auto* uri :
         {"http://H.example/a/b", "https://h.example:8443/a/b/", "sb://h.example//a/b//",
          "WSS://u:p@h.example/a/b?x=/y", "ws://h.EXAMPLE:1/a%2Fb#f"}) {
        const auto audience = audience_of(form_encode(uri));
        ASSERT_TRUE(audience) << uri;
        EXPECT_EQ(audience->host, "h.example") << uri;
        EXPECT_EQ(audience->path, "a/b") << uri;
    }
    EXPECT_EQ(audience_of(form_encode("sb://[::1]:80/x"))->host, "::1");
}

TEST(Audience, RefusesWhatNamesNoHost) {
    for (const auto* resource :
         {"", "h.example/a", "http%3A%2F%2F", "http%3A%2F%2F%2Fa", "ftp%3A%2F%2Fh%2F", "%zz",
          "http%3A%2F%2Fh%2F%25zz", "http%3A%2F%2F%5B%3A%3A1", "http%3A%2F%2F%3A80%2F"}) {
        const auto audience = audience_of(resource);
        ASSERT_FALSE(audience) << resource;
        EXPECT_EQ(audience.error().code(), make_error_code(errc::invalid_audience));
    }
}

TEST(Audience, ForMakesWhatDotNetSigns) {
    EXPECT_EQ(audience_for("h", "hyco"), "http://h/hyco/");
    EXPECT_EQ(audience_for("h", "/a b/c/"), "http://h/a%20b/c/");
    EXPECT_EQ(audience_for("h", ""), "http://h/");
    EXPECT_EQ(audience_for("::1", "x"), "http://[::1]/x/");
}

TEST(Covers, ComparesBySegmentAndWithoutCase) {
    EXPECT_TRUE(covers("", "hyco"));
    EXPECT_TRUE(covers("", ""));
    EXPECT_TRUE(covers("hyco", "HYCO"));
    EXPECT_TRUE(covers("/Hyco/", "hyco/sub/x"));
    EXPECT_TRUE(covers("hyco/sub", "hyco/sub"));
    EXPECT_FALSE(covers("hyco/sub", "hyco"));
    EXPECT_FALSE(covers("hyco", ""));
    EXPECT_FALSE(covers("hyco", "hyco-2"));
    EXPECT_FALSE(covers("hyco/su", "hyco/sub"));
}

}  // namespace
}  // namespace hpb::hc
