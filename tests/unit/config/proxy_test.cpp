#include "config/proxy.hpp"

#include <gmock/gmock.h>

namespace hpb::config {
namespace {

TEST(Proxy, Parses) {
    const auto proxy = parse_proxy("http://us%40er:p%3Ass@proxy.example:3128/");
    ASSERT_TRUE(proxy.has_value());
    EXPECT_EQ(proxy->host, "proxy.example");
    EXPECT_EQ(proxy->port, 3128);
    EXPECT_EQ(proxy->user, "us@er");
    EXPECT_EQ(proxy->password, "p:ss");
    EXPECT_EQ(parse_proxy("proxy")->port, 80);
    EXPECT_EQ(parse_proxy("[::1]:8080")->host, "::1");
    for (const char* bad : {"", "http://", "https://p:1", "socks5://p:1", "p:0", "p:x", "p:70000",
                            "[::1", "u:%zz@p:1", "a b:1", "p/path:1", "http://p:1?x"}) {
        EXPECT_FALSE(parse_proxy(bad).has_value()) << bad;
    }
}

TEST(Proxy, NoProxyEntries) {
    const hc::RelayAddress name{"relay.example.com", 8443, true};
    for (const char* yes :
         {"*", "relay.example.com", "RELAY.example.com", "example.com", ".example.com",
          "*.example.com", "a, relay.example.com:8443", "x .example.com"}) {
        EXPECT_TRUE(no_proxy_covers(yes, name)) << yes;
    }
    for (const char* no : {"", ",", "ample.com", "relay.example.com:443", ".relay.example.com",
                           "*.relay.example.com", "10.0.0.0/8", "com.", "/"}) {
        EXPECT_FALSE(no_proxy_covers(no, name)) << no;
    }
    const hc::RelayAddress address{"10.1.2.3", 443, true};
    EXPECT_TRUE(no_proxy_covers("10.0.0.0/8", address));
    EXPECT_TRUE(no_proxy_covers("10.1.2.3:443", address));
    EXPECT_FALSE(no_proxy_covers("10.1.2.4,11.0.0.0/8,3", address));
    EXPECT_TRUE(no_proxy_covers("[fd00::1]:443", {"fd00:0::1", 443, true}));
}

}  // namespace
}  // namespace hpb::config
