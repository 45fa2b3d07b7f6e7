#include "hc/control_message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hc/sas_token.hpp"

namespace hpb::hc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

template <class Message>
Message parse_as(std::string_view text) {
    auto message = parse_control_message(text);
    EXPECT_TRUE(message) << text;
    return std::get<Message>(std::move(*message));
}

void expect_malformed(std::string_view text) {
    const auto message = parse_control_message(text);
    ASSERT_FALSE(message) << text;
    EXPECT_EQ(message.error().code(), make_error_code(errc::malformed_message)) << text;
}

AcceptMessage example() {
    return {"wss://relay.example:8443/$hc/hyco?a=\"b\"&sb-hc-action=accept",
            "7f0c9a52-1f3b-4c55-9a0e-2d6a1c7be001_G0",
            {{"Host", "relay.example"}, {"Sec-WebSocket-Key", "q83vEjRWeJCrze8SNFZ4kA=="}},
            "203.0.113.9",
            51544};
}

TEST(Accept, ParsesWhateverTheOrderAndTheEscapes) {
    const auto message = parse_as<AcceptMessage>(
        R"({"accept":{"remoteEndpoint":{"port":51544,"address":"203.0.113.9"},
        "connectHeaders":{"X-App":"42","Host":"h","0":"\/"},"new":[{"a":{}}],
        "id":"i_G0","address":"wss:\/\/relay.example\/$hc\/hyco?sb-hc-action=accept"}})");
    EXPECT_EQ(message.address, "wss://relay.example/$hc/hyco?sb-hc-action=accept");
    EXPECT_EQ(message.id, "i_G0");
    EXPECT_EQ(message.remote_address, "203.0.113.9");
    EXPECT_EQ(message.remote_port, 51544);
    EXPECT_THAT(message.connect_headers,
                ElementsAre(Pair("X-App", "42"), Pair("Host", "h"), Pair("0", "/")));
}

TEST(Accept, NeedsNoMoreThanAnAddress) {
    for (
        const auto* text :
        {R"({"accept":{"address":"wss://h/"}})",
         R"({"accept":{"address":"wss://h/","id":null,"connectHeaders":null,"remoteEndpoint":null}})",
         R"({"accept":{"address":"wss://h/","remoteEndpoint":{"port":70000}}})"}) {
        const auto message = parse_as<AcceptMessage>(text);
        EXPECT_EQ(message.address, "wss://h/");
        EXPECT_TRUE(message.connect_headers.empty());
        EXPECT_EQ(message.remote_address, "");
        EXPECT_EQ(message.remote_port, 0);
    }
    expect_malformed(R"({"accept":{"id":"i"}})");
    expect_malformed(R"({"accept":{"address":5}})");
    expect_malformed(R"({"accept":"wss://h/"})");
}

TEST(Accept, ToleratesHeaderValuesThatAreNoStrings) {
    const auto message = parse_as<AcceptMessage>(
        R"({"accept":{"address":"a","connectHeaders":{"a":5,"b":true,"c":null,"d":["x"]}}})");
    EXPECT_THAT(message.connect_headers,
                ElementsAre(Pair("a", "5"), Pair("b", "true"), Pair("c", "")));
}

TEST(Accept, IsWrittenWithAllFourFields) {
    EXPECT_EQ(
        serialize(example()).value(),
        R"({"accept":{"address":"wss://relay.example:8443/$hc/hyco?a=\"b\"&sb-hc-action=accept",)"
        R"("id":"7f0c9a52-1f3b-4c55-9a0e-2d6a1c7be001_G0",)"
        R"("connectHeaders":{"Host":"relay.example","Sec-WebSocket-Key":"q83vEjRWeJCrze8SNFZ4kA=="},)"
        R"("remoteEndpoint":{"address":"203.0.113.9","port":51544}}})");
    EXPECT_EQ(serialize(AcceptMessage{}).value(),
              R"({"accept":{"address":"","id":"","connectHeaders":{},)"
              R"("remoteEndpoint":{"address":"","port":0}}})");
}

TEST(Accept, SurvivesTheRoundTrip) {
    const auto in = example();
    const auto out = parse_as<AcceptMessage>(*serialize(in));
    EXPECT_EQ(out.address, in.address);
    EXPECT_EQ(out.id, in.id);
    EXPECT_EQ(out.connect_headers, in.connect_headers);
    EXPECT_EQ(out.remote_port, in.remote_port);
}

TEST(Accept, JoinsRepeatedHeaders) {
    AcceptMessage message;
    message.connect_headers = {{"X-A", "1"}, {"Cookie", "a=1"}, {"x-a", "2"}, {"cookie", "b=2"}};
    EXPECT_THAT(parse_as<AcceptMessage>(*serialize(message)).connect_headers,
                ElementsAre(Pair("X-A", "1, 2"), Pair("Cookie", "a=1; b=2")));
}

TEST(Accept, WritesValuesAsCleanUtf8) {
    AcceptMessage message;
    message.connect_headers = {{"A", "x\r\ny\x01"}, {"B", "\xf8"}};
    EXPECT_THAT(parse_as<AcceptMessage>(*serialize(message)).connect_headers,
                ElementsAre(Pair("A", "x  y "), Pair("B", "\xc3\xb8")));
}

TEST(Accept, StaysBelow64Kib) {
    auto message = example();
    const auto base = serialize(message)->size();
    message.connect_headers.emplace_back("X", std::string(kMaxControlMessageSize - base - 7, 'x'));
    EXPECT_EQ(serialize(message)->size(), kMaxControlMessageSize);
    message.connect_headers.back().second += 'x';
    EXPECT_EQ(serialize(message).error().code(), make_error_code(hpb::errc::limit_exceeded));
    message.connect_headers.back().second = std::string(kMaxControlMessageSize - base - 8, '"');
    EXPECT_FALSE(serialize(message));  // escapes count
    message.connect_headers.back().second.resize(10'000'000);
    EXPECT_FALSE(serialize(message));
}

TEST(Request, IsReadForItsRefusal) {
    const auto message = parse_as<RequestMessage>(
        R"({"request":{"address":"wss://h/?sb-hc-action=request","id":"i","method":"POST",
        "requestTarget":"/x","requestHeaders":{"a":1},"body":true}})");
    EXPECT_EQ(message.id, "i");
    EXPECT_TRUE(message.has_body);
    const auto rendezvous = parse_as<RequestMessage>(R"({"request":{"address":"wss://h/"}})");
    EXPECT_EQ(rendezvous.id, "");
    EXPECT_FALSE(rendezvous.has_body);
    expect_malformed(R"({"request":{"id":"i"}})");
}

TEST(RenewToken, GoesBothWays) {
    const RenewTokenMessage message{"SharedAccessSignature sr=a%2F&sig=\"b\""};
    EXPECT_EQ(serialize(message),
              R"({"renewToken":{"token":"SharedAccessSignature sr=a%2F&sig=\"b\""}})");
    EXPECT_EQ(parse_as<RenewTokenMessage>(serialize(message)).token, message.token);
    expect_malformed(R"({"renewToken":{}})");
    expect_malformed(R"({"renewToken":{"token":null}})");
}

TEST(Response, TakesTheStatusAsNumberOrString) {
    for (
        const auto* text :
        {R"({"response":{"requestId":"i","statusCode":418,"statusDescription":"tea","body":true}})",
         R"({"response":{"body":true,"statusCode":"418","requestId":"i","statusDescription":"tea",
              "responseHeaders":{"x-n":5}}})"}) {
        const auto message = parse_as<ResponseMessage>(text);
        EXPECT_EQ(message.request_id, "i");
        EXPECT_EQ(message.status_code, 418);
        EXPECT_EQ(message.status_description, "tea");
        EXPECT_TRUE(message.has_body);
    }
    for (const auto* status : {"null", "\"\"", "\"4x\"", "99", "1000", "200.5", "-200", "[200]"}) {
        expect_malformed(R"({"response":{"requestId":"i","statusCode":)" + std::string(status) +
                         "}}");
    }
    expect_malformed(R"({"response":{"statusCode":200}})");
}

TEST(Response, IsWrittenInFull) {
    EXPECT_EQ(serialize(ResponseMessage{"i_G0", 501, "Not\nImplemented", false}),
              R"({"response":{"requestId":"i_G0","statusCode":501,)"
              R"("statusDescription":"Not Implemented","responseHeaders":{},"body":false}})");
}

TEST(ControlMessage, UnknownOnesAreNamed) {
    EXPECT_EQ(parse_as<UnknownMessage>(R"({"injectFault":{"delay":"PT1S"}})").key, "injectFault");
    EXPECT_EQ(parse_as<UnknownMessage>(R"({"a\n":1})").key, "a?");
    EXPECT_EQ(parse_as<UnknownMessage>("{}").key, "");
}

TEST(ControlMessage, GarbageIsRefused) {
    for (const auto* text : {"", "x", "[]", "\"accept\"", "{\"accept\":", "5", "null"}) {
        expect_malformed(text);
    }
    const auto large = parse_control_message("{\"a\":\"" + std::string(70'000, 'x') + "\"}");
    EXPECT_EQ(large.error().code(), make_error_code(hpb::errc::limit_exceeded));
}

}  // namespace
}  // namespace hpb::hc
