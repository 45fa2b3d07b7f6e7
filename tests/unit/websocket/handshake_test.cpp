#include "websocket/handshake.hpp"

#include <gmock/gmock.h>

#include "crypto/crypto.hpp"
#include "websocket/frame.hpp"

namespace hpb::websocket {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";  // RFC 6455 section 1.3
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

http::Headers headers_of(const Fields& fields) {
    http::Headers headers;
    for (const auto& [name, value] : fields) headers.add(name, value);
    return headers;
}

// `fields` without the one called `name`, and with a replacement for it if one is given.
Fields with(Fields fields, std::string_view name, std::string_view value) {
    std::erase_if(fields, [&](const auto& field) { return field.first == name; });
    if (!value.empty()) fields.emplace_back(name, value);
    return fields;
}

Fields request_fields() {
    return {{"Host", "relay"},
            {"Connection", "keep-alive, Upgrade"},
            {"Upgrade", "WebSocket"},
            {"Sec-WebSocket-Version", "13"},
            {"Sec-WebSocket-Key", kKey}};
}

Fields response_fields() {
    return {{"Connection", "upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Accept", kAccept}};
}

std::string refusal(const Fields& fields, std::string method = "GET") {
    const auto checked = check_upgrade_request(
        {.method = std::move(method), .target = "/", .headers = headers_of(fields)});
    if (checked) return "";
    EXPECT_EQ(checked.error().code(), errc::bad_handshake);
    return checked.error().message();
}

std::string rejection(const Fields& fields, const std::vector<std::string>& offered = {}) {
    const auto checked = check_upgrade_response(
        {.status = 101, .reason = "Switching Protocols", .headers = headers_of(fields)}, kKey,
        offered);
    if (checked) return "";
    EXPECT_EQ(checked.error().code(), errc::bad_handshake);
    return checked.error().message();
}

TEST(Handshake, AcceptKeyIsThatOfTheStandard) {
    EXPECT_EQ(accept_key(kKey), kAccept);
}

TEST(Handshake, KeysAreSixteenRandomBytes) {
    const std::string key = make_key();
    const auto bytes = crypto::base64_decode(key);
    ASSERT_TRUE(bytes);
    EXPECT_EQ(bytes->size(), 16U);
    EXPECT_NE(key, make_key());
}

TEST(Handshake, ACompleteRequestIsAnUpgrade) {
    const http::RequestHead request{
        .method = "GET", .target = "/", .headers = headers_of(request_fields())};
    EXPECT_TRUE(is_upgrade(request));
    EXPECT_TRUE(check_upgrade_request(request));
    EXPECT_FALSE(
        is_upgrade({.method = "GET", .target = "/", .headers = headers_of({{"Host", "x"}})}));
}

TEST(Handshake, ARequestThatLacksSomethingIsToldWhat) {
    EXPECT_THAT(refusal(request_fields(), "POST"), HasSubstr("GET"));
    EXPECT_THAT(refusal(with(request_fields(), "Connection", "")), HasSubstr("Connection"));
    EXPECT_THAT(refusal(with(request_fields(), "Connection", "close")), HasSubstr("Connection"));
    EXPECT_THAT(refusal(with(request_fields(), "Sec-WebSocket-Version", "")), HasSubstr("13"));
    EXPECT_THAT(refusal(with(request_fields(), "Sec-WebSocket-Version", "8")), HasSubstr("13"));
    EXPECT_THAT(refusal(with(request_fields(), "Sec-WebSocket-Key", "")), HasSubstr("Key"));
    EXPECT_THAT(refusal(with(request_fields(), "Sec-WebSocket-Key", "no spaces here")),
                HasSubstr("Key"));
    EXPECT_THAT(refusal(with(request_fields(), "Sec-WebSocket-Key", std::string(129, 'A'))),
                HasSubstr("Key"));
}

TEST(Handshake, AKeyThatIsNotSixteenBytesLongIsTaken) {
    // Microsoft's JavaScript library sends such keys.
    EXPECT_EQ(refusal(with(request_fields(), "Sec-WebSocket-Key", "MTMtMTUxNzM4MDg2NTg5NQ==")), "");
}

TEST(Handshake, TheAnswerHasEachRequiredHeaderOnce) {
    const http::RequestHead request{
        .method = "GET", .target = "/", .headers = headers_of(request_fields())};
    const auto plain = make_upgrade_response(request, "");
    EXPECT_EQ(plain.status, 101U);
    EXPECT_EQ(plain.headers.all().size(), 3U);
    EXPECT_EQ(plain.headers.get("sec-websocket-accept"), kAccept);
    EXPECT_TRUE(check_upgrade_response(plain, kKey, {}));

    const auto chosen = make_upgrade_response(request, "chat");
    EXPECT_EQ(chosen.headers.get("Sec-WebSocket-Protocol"), "chat");
    EXPECT_TRUE(check_upgrade_response(chosen, kKey, {"superchat", "chat"}));
}

TEST(Handshake, OurRequestPassesOurCheck) {
    const auto request = make_upgrade_request("relay:8443", "/$hc/simple?sb-hc-action=connect",
                                              kKey, {"a", "b"}, headers_of({{"X-Extra", "1"}}));
    EXPECT_TRUE(check_upgrade_request(request));
    EXPECT_EQ(request.target, "/$hc/simple?sb-hc-action=connect");
    EXPECT_EQ(request.headers.get("Host"), "relay:8443");
    EXPECT_EQ(request.headers.get("Sec-WebSocket-Protocol"), "a, b");
    EXPECT_EQ(request.headers.get("X-Extra"), "1");
    EXPECT_FALSE(
        make_upgrade_request("h", "/", kKey, {}, {}).headers.has("Sec-WebSocket-Protocol"));
}

TEST(Handshake, AnAnswerThatDoesNotFitIsRejectedInWords) {
    EXPECT_EQ(rejection(response_fields()), "");
    EXPECT_THAT(rejection(with(response_fields(), "Connection", "")), HasSubstr("Connection"));
    EXPECT_THAT(rejection(with(response_fields(), "Upgrade", "h2c")), HasSubstr("Upgrade"));
    EXPECT_THAT(rejection(with(response_fields(), "Sec-WebSocket-Accept", "")),
                HasSubstr("Accept"));
    EXPECT_THAT(
        rejection(with(response_fields(), "Sec-WebSocket-Accept", "s3ppLMBiTxaQ9kYGzzhZRbK+xOo=")),
        HasSubstr("Accept"));
    EXPECT_THAT(
        rejection(with(response_fields(), "Sec-WebSocket-Extensions", "permessage-deflate")),
        HasSubstr("extension"));
    const auto chosen = with(response_fields(), "Sec-WebSocket-Protocol", "chat");
    EXPECT_THAT(rejection(chosen), HasSubstr("subprotocol"));
    EXPECT_THAT(rejection(chosen, {"Chat"}), HasSubstr("subprotocol"));
    EXPECT_EQ(rejection(chosen, {"chat"}), "");
}

TEST(Handshake, ARefusalIsShownWithItsReasonMadePrintable) {
    const auto refused = check_upgrade_response(
        {.status = 404, .reason = "No \x1b listener", .headers = {}}, kKey, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), errc::handshake_refused);
    EXPECT_EQ(refused.error().message(), "404 No ? listener");
}

TEST(Handshake, OfferedSubprotocolsKeepTheirOrderOverSeveralHeaders) {
    EXPECT_THAT(offered_subprotocols(headers_of({{"Sec-WebSocket-Protocol", "hpb.v1, hpb.v2"},
                                                 {"X", "y"},
                                                 {"sec-websocket-protocol", " ,wssubprotocol ,"}})),
                ElementsAre("hpb.v1", "hpb.v2", "wssubprotocol"));
    EXPECT_THAT(offered_subprotocols({}), IsEmpty());
}

}  // namespace
}  // namespace hpb::websocket
