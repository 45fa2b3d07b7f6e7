#include "hc/host.hpp"

#include <gtest/gtest.h>

#include <string>

namespace hpb::hc {
namespace {

TEST(Host, NamesAreChecked) {
    EXPECT_TRUE(is_host_name("a-b_c.example"));
    EXPECT_TRUE(is_host_name("10.0.0.1"));
    EXPECT_FALSE(is_host_name(""));
    EXPECT_FALSE(is_host_name("a b"));
    EXPECT_FALSE(is_host_name("a/b"));
    EXPECT_FALSE(is_host_name("::1"));
    EXPECT_FALSE(is_host_name(std::string(254, 'a')));
}

TEST(Host, Ipv6LiteralsAreRecognised) {
    for (const auto* yes : {"::", "::1", "1::", "fe80::1:2", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1",
                            "1:2:3:4:5:6:10.0.0.1", "2001:DB8::"}) {
        EXPECT_TRUE(is_ipv6_literal(yes)) << yes;
    }
    for (const auto* no : {"", ":", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3",
                           ":::", "12345::", "g::", "::1%eth0", "::10.0.0", "::10.0.0.256",
                           "10.0.0.1::", "1:2:3:4::5:6:7:8", ":1::", "::1:"}) {
        EXPECT_FALSE(is_ipv6_literal(no)) << no;
    }
}

TEST(Host, PortsAreWholeNumbersInRange) {
    EXPECT_EQ(parse_port("1"), 1);
    EXPECT_EQ(parse_port("65535"), 65535);
    for (const auto* bad : {"", "0", "65536", "-1", "+1", " 1", "1a", "99999999999999999999"}) {
        EXPECT_EQ(parse_port(bad), 0) << bad;
    }
}

}  // namespace
}  // namespace hpb::hc
