#include "hc/relay_uri.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hc/sas_token.hpp"

namespace hpb::hc {
namespace {

TEST(RelayAddress, AcceptsEveryForm) {
    const struct {
        const char* text;
        const char* host;
        unsigned port;
        bool secure;
        const char* authority;
    } cases[] = {
        {"contoso.servicebus.windows.net", "contoso.servicebus.windows.net", 443, true,
         "contoso.servicebus.windows.net"},
        {"Relay.Example:8443", "relay.example", 8443, true, "relay.example:8443"},
        {"[::1]:8443", "::1", 8443, true, "[::1]:8443"},
        {"[2001:DB8::1]", "2001:db8::1", 443, true, "[2001:db8::1]"},
        {"sb://ns/", "ns", 443, true, "ns"},
        {"SB://ns:443", "ns", 443, true, "ns"},
        {"https://ns:1/", "ns", 1, true, "ns:1"},
        {"wss://10.0.0.1", "10.0.0.1", 443, true, "10.0.0.1"},
        {"ws://localhost:8080/", "localhost", 8080, false, "localhost:8080"},
        {"http://localhost", "localhost", 80, false, "localhost"},
        {" ns ", "ns", 443, true, "ns"},
    };
    for (const auto& c : cases) {
        const auto relay = parse_relay_address(c.text);
        ASSERT_TRUE(relay) << relay.error().message();
        EXPECT_EQ(relay->host, c.host);
        EXPECT_EQ(relay->port, c.port) << c.text;
        EXPECT_EQ(relay->secure, c.secure) << c.text;
        EXPECT_EQ(relay->authority(), c.authority);
    }
}

TEST(RelayAddress, RefusesOthers) {
    for (const auto* text :
         {"", "ftp://h/", "h:", "h:0", "h:65536", "h:+1", "h:x", "::1", "[::1", "[::1]443", "[h]:1",
          "[1::2::3]", "h?x", "u@h", "h h", "sb://", "http://:80/", "h:1:2",
          "h\n"
          "x"}) {
        const auto relay = parse_relay_address(text);
        ASSERT_FALSE(relay) << text;
        EXPECT_EQ(relay.error().code(), make_error_code(errc::malformed_address));
        EXPECT_EQ(relay.error().message().find('\n'), std::string::npos);
    }
}

TEST(RelayAddress, SaysWhereAPathBelongs) {
    EXPECT_THAT(parse_relay_address("sb://ns/hyco").error().message(),
                testing::HasSubstr("EntityPath"));
}

TEST(RendezvousUrl, KeepsTheTargetByteForByte) {
    const auto url = parse_rendezvous_url(
        "wss://G63-sb.Example:8443/$hc/hyco/a%20b?color=red&&sb-hc-action=accept&sb-hc-id=x_G0");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->relay.host, "g63-sb.example");
    EXPECT_EQ(url->relay.port, 8443);
    EXPECT_TRUE(url->relay.secure);
    EXPECT_EQ(url->target, "/$hc/hyco/a%20b?color=red&&sb-hc-action=accept&sb-hc-id=x_G0");

    const auto plain = parse_rendezvous_url("ws://[::1]?a#b");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->relay.port, 80);
    EXPECT_FALSE(plain->relay.secure);
    EXPECT_EQ(plain->target, "/?a");
    EXPECT_EQ(parse_rendezvous_url("wss://h")->target, "/");
}

TEST(RendezvousUrl, RefusesOtherSchemesAndWhatWouldEndARequestLine) {
    for (const auto* text : {"", "https://h/x", "h/x", "wss:///x", "wss://h/a b",
                             "wss://h/a\r\nX: y", "wss://h:0/", "wss://u@h/"}) {
        EXPECT_FALSE(parse_rendezvous_url(text)) << text;
    }
}

TEST(RendezvousUrl, ErrorsDoNotRepeatTheOneTimeValue) {
    const auto url = parse_rendezvous_url("https://h/x?sb-hc-rv=secret");
    EXPECT_THAT(url.error().message(), testing::Not(testing::HasSubstr("secret")));
}

TEST(Target, SplitsAtTheFirstQuestionMark) {
    const auto target = split_target("/a%3F/b?c?d");
    EXPECT_EQ(target.path, "/a%3F/b");
    EXPECT_EQ(target.query, "c?d");
    EXPECT_TRUE(target.has_query);
    EXPECT_FALSE(split_target("/a").has_query);
    EXPECT_TRUE(split_target("/a?").has_query);
    EXPECT_EQ(split_target("https://h:1/a?b").path, "/a");
    EXPECT_EQ(split_target("https://h?b").query, "b");
    EXPECT_EQ(split_target("/x?u=http://h/").path, "/x");
    EXPECT_EQ(split_target("*").path, "*");
}

TEST(QueryParameter, FindsTheFirstIgnoringCase) {
    EXPECT_EQ(query_parameter("a=1&SB-HC-Action=listen&sb-hc-action=x", "sb-hc-action"), "listen");
    EXPECT_EQ(query_parameter("?sb-hc-id=a%3Db+c", "sb-hc-id"), "a=b+c");
    // I1: what is form-encoded has plus signs for spaces.
    EXPECT_EQ(query_parameter("?sb-hc-token=a%3Db+c%2Bd", "sb-hc-token", Plus::is_space),
              "a=b c+d");
    EXPECT_EQ(query_parameter("sb-hc-statusDescription=no+way%2B", "sb-hc-statusdescription",
                              Plus::is_space),
              "no way+");
    EXPECT_EQ(query_parameter("%73b-hc-id=1", "sb-hc-id"), "1");
    EXPECT_EQ(query_parameter("a=", "a"), "");
    EXPECT_EQ(query_parameter("a", "a"), std::nullopt);
    EXPECT_EQ(query_parameter("", "a"), std::nullopt);
    EXPECT_EQ(query_parameter("a=%z", "a"), std::nullopt);
}

TEST(Protect, F2TheRelaysOwnHostIsDialledWithTlsWhateverItSays) {
    const auto known = parse_relay_address("relay.example:8443").value();
    const std::tuple<const char*, bool, std::uint16_t> rows[] = {
        {"ws://relay.example/x?y", true, 8443},
        {"ws://RELAY.example:8443/x", true, 8443},
        {"ws://relay.example:9443/x", true, 9443},
        {"ws://other.example/x", false, 80},
        {"wss://other.example:1/x", true, 1}};
    for (const auto& [url, secure, port] : rows) {
        auto address = parse_rendezvous_url(url).value().relay;
        EXPECT_EQ(protect(address, known), secure) << url;
        EXPECT_EQ(address.secure, secure) << url;
        EXPECT_EQ(address.port, port) << url;
    }
}

TEST(StripRelayParameters, DropsExactlyTheRelaysOwn) {
    const std::pair<const char*, const char*> rows[] = {
        {"?a=1&a=2&", "?a=1&a=2&"},
        {"?&&&", "?&&&"},
        {"?sb-hc-id=1", ""},
        {"?sb-hc-id=1&x=y", "?x=y"},
        {"?x=y&sb-hc-id=1", "?x=y"},
        {"?sb-hc-undefined", "?sb-hc-undefined"},
        {"?sb-hc-whatever=", ""},
        {"?+", "?+"},
        {"?%2B", "?%2B"},
        {"?%20", "?%20"},
        {"?%2f%3a%3d%26", "?%2f%3a%3d%26"},
        {"?SB-HC-Token=x&%53b%2Dhc-id=2&b=%c3%b8", "?b=%c3%b8"},
        {"?sb-hc-%zz=1&a", "?a"},
        {"?%zzsb-hc-id=1", "?%zzsb-hc-id=1"},
        {"?sb-h=1&x%=", "?sb-h=1&x%="},
        {"?=sb-hc-id", "?=sb-hc-id"},
        {"a=1&sb-hc-id=1&b", "a=1&b"},
        {"", ""},
        {"?", ""},
    };
    for (const auto& [in, out] : rows) EXPECT_EQ(strip_relay_parameters(in), out) << in;
}

TEST(EntityPath, DropsTheMarkerAndDecodes) {
    EXPECT_EQ(entity_path("/$hc/hyco"), "hyco");
    EXPECT_EQ(entity_path("/%24HC/hyco/"), "hyco");
    EXPECT_EQ(entity_path("/$Hc/a%20b/c//"), "a b/c");
    EXPECT_EQ(entity_path("/hyco/sub"), "hyco/sub");
    EXPECT_EQ(entity_path("/$hcx/a"), "$hcx/a");
    EXPECT_EQ(entity_path("/$hc/$hc/a"), "$hc/a");
    EXPECT_EQ(entity_path("/$hc"), "");
    EXPECT_EQ(entity_path("/"), "");
    EXPECT_EQ(entity_path("/a%2"), std::nullopt);
    EXPECT_EQ(entity_path("/a%0d%0ab"), std::nullopt);
    EXPECT_EQ(entity_path("/a%00"), std::nullopt);
}

TEST(EntityPath, TellsHybridConnectionPathsFromOthers) {
    for (const auto* yes : {"/$hc/x", "/%24hc/x", "/$HC/", "/%24%68%63/x"}) {
        EXPECT_TRUE(is_hybrid_connection_path(yes)) << yes;
    }
    for (const auto* no :
         {"/$hc", "/hyco", "$hc/x", "/$hcx/y", "/a/$hc/x", "/%2524hc/x", "", "/%"}) {
        EXPECT_FALSE(is_hybrid_connection_path(no)) << no;
    }
}

TEST(MakeTarget, EscapesWhatAPathCannotHold) {
    EXPECT_EQ(make_target("hyco", "listen", "id_G0"),
              "/$hc/hyco?sb-hc-action=listen&sb-hc-id=id_G0");
    EXPECT_EQ(make_target("/a b/c?#%", "connect", ""),
              "/$hc/a%20b/c%3F%23%25?sb-hc-action=connect");
    EXPECT_EQ(make_target("x", "connect", "a&b=c"),
              "/$hc/x?sb-hc-action=connect&sb-hc-id=a%26b%3Dc");
    EXPECT_EQ(escape_path("//a/b-._~$&'()*+,;=:@!"), "a/b-._~$&'()*+,;=:@!");
    EXPECT_EQ(escape_path("\r\n"), "%0D%0A");
}

TEST(CheckEntityPath, NamesWhatIsWrong) {
    for (const auto& good :
         {std::string("hyco"), std::string("a/b.c-d_e~1"), std::string(260, 'x')}) {
        EXPECT_EQ(check_entity_path(good), "");
    }
    for (const auto& bad :
         {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"),
          std::string("a b"), std::string("a?"), std::string("a/../b"), std::string("a\nb"),
          std::string("$hc"), std::string(261, 'x')}) {
        EXPECT_NE(check_entity_path(bad), "") << bad;
        EXPECT_EQ(check_entity_path(bad).find('\n'), std::string::npos);
    }
}

}  // namespace
}  // namespace hpb::hc
