#include "relay/client_address.hpp"

#include <gtest/gtest.h>

namespace hpb::relay {
namespace {

class ClientAddressTest : public testing::Test {
protected:
    ClientAddressTest() {
        EXPECT_TRUE(proxies_.add("10.0.0.0/8"));
        EXPECT_TRUE(proxies_.add("fd00::/16"));
    }

    std::string of(const char* peer, const char* for_list, const char* forwarded = nullptr) {
        http::Headers headers;
        if (for_list != nullptr) headers.add("X-Forwarded-For", for_list);
        if (forwarded != nullptr) headers.add("Forwarded", forwarded);
        const net::tcp::endpoint endpoint(net::asio::ip::make_address(peer), 1);
        return client_address(headers, endpoint, proxies_).address().to_string();
    }

    config::AllowList proxies_;
};

TEST_F(ClientAddressTest, AProxyNamesIt) {
    EXPECT_EQ(of("10.0.0.1", "192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(of("::ffff:10.0.0.1", "192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(of("10.0.0.1", "192.0.2.1:5000"), "192.0.2.1");
    EXPECT_EQ(of("10.0.0.1", "2001:db8::1"), "2001:db8::1");
    EXPECT_EQ(of("10.0.0.1", "::ffff:192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(of("fd00::1", nullptr, "for=\"[2001:db8::1]:4711\";proto=https"), "2001:db8::1");
}

TEST_F(ClientAddressTest, WhatClientsMakeUpDoesNotCount) {
    EXPECT_EQ(of("192.0.2.9", "192.0.2.1"), "192.0.2.9") << "not from a proxy";
    EXPECT_EQ(of("10.0.0.1", "198.51.100.1, 192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(of("10.0.0.1", "198.51.100.1, 192.0.2.1, 10.0.0.2"), "192.0.2.1") << "two proxies";
    EXPECT_EQ(of("10.0.0.1", "nonsense, 192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(of("10.0.0.1", "192.0.2.1", "for=198.51.100.1"), "10.0.0.1") << "which of them?";
    EXPECT_EQ(of("10.0.0.1", "192.0.2.1", "for=unknown"), "10.0.0.1");
    EXPECT_EQ(of("10.0.0.1", "192.0.2.1", "for=192.0.2.1"), "192.0.2.1");
}

TEST_F(ClientAddressTest, ElseItIsTheProxy) {
    EXPECT_EQ(of("10.0.0.1", nullptr), "10.0.0.1");
    for (const char* malformed : {"", "unknown", "192.0.2.1,", "192.0.2.1 192.0.2.2", "192.0.2.256",
                                  "01.2.3.4", "nonsense, 10.0.0.2", "fe80::1%eth0"})
        EXPECT_EQ(of("10.0.0.1", malformed), "10.0.0.1") << malformed;
    EXPECT_EQ(of("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3") << "a proxy's own request";
}

}  // namespace
}  // namespace hpb::relay
