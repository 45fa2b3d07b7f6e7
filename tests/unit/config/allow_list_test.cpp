#include "config/allow_list.hpp"

#include <gtest/gtest.h>

namespace hpb::config {
namespace {

IpBytes ip(std::string_view text) {
    const auto parsed = parse_ip(text);
    EXPECT_TRUE(parsed.has_value()) << text;
    return parsed.value_or(IpBytes{});
}

bool admits(std::string_view item, std::string_view address) {
    AllowList list;
    EXPECT_TRUE(list.add(item).has_value()) << item;
    return list.admits(ip(address));
}

TEST(ParseIp, ReadsBothFamilies) {
    EXPECT_EQ(ip("1.2.3.4"), (IpBytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}));
    EXPECT_EQ(ip("::ffff:1.2.3.4"), ip("1.2.3.4"));
    EXPECT_EQ(ip("::1"), (IpBytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
    EXPECT_EQ(ip("2001:DB8::"), ip("2001:db8:0:0:0:0:0:0"));
    EXPECT_EQ(ip("::"), IpBytes{});
    EXPECT_EQ(ip("1:2:3:4:5:6:7:8")[15], 8);
    EXPECT_EQ(ip("64:ff9b::192.0.2.1")[12], 192);
}

TEST(ParseIp, RefusesEverythingElse) {
    for (const char* text : {"",
                             "1",
                             "1.2.3",
                             "1.2.3.4.5",
                             "01.2.3.4",
                             "10.0.0.010",
                             "256.1.1.1",
                             "1.2.3.-4",
                             "1.2.3.+4",
                             "1..2.3",
                             " 1.2.3.4",
                             "localhost",
                             "::1%eth0",
                             ":::",
                             "1::2::3",
                             "1:2:3:4:5:6:7",
                             "1:2:3:4:5:6:7:8:9",
                             "12345::",
                             "g::",
                             "[::1]",
                             ":1:2:3:4:5:6:7",
                             "1.2.3.4::",
                             "1:2:3:4:5:6:7::8:9",
                             "::1.2.3"}) {
        EXPECT_FALSE(parse_ip(text).has_value()) << text;
    }
}

TEST(AllowList, EmptyAdmitsNobody) {
    AllowList list;
    EXPECT_TRUE(list.add("  ").has_value());
    EXPECT_TRUE(list.admits_nobody());
    EXPECT_FALSE(list.admits(ip("127.0.0.1")));
}

TEST(AllowList, StarAdmitsBothFamilies) {
    EXPECT_TRUE(admits("*", "1.2.3.4"));
    EXPECT_TRUE(admits(" * ", "2001:db8::1"));
}

TEST(AllowList, SingleAddress) {
    EXPECT_TRUE(admits("10.0.0.8", "10.0.0.8"));
    EXPECT_TRUE(admits("10.0.0.8", "::ffff:10.0.0.8"));
    EXPECT_FALSE(admits("10.0.0.8", "10.0.0.9"));
    EXPECT_FALSE(admits("0.0.0.1", "::1"));
}

TEST(AllowList, RangeIncludesItsEnds) {
    EXPECT_TRUE(admits("10.0.0.250 - 10.0.1.5", "10.0.0.250"));
    EXPECT_TRUE(admits("10.0.0.250-10.0.1.5", "10.0.1.5"));
    EXPECT_FALSE(admits("10.0.0.250-10.0.1.5", "10.0.1.6"));
    EXPECT_TRUE(admits("fd00::1-fd00::ff", "fd00::80"));
}

TEST(AllowList, PrefixOfAnyLength) {
    EXPECT_TRUE(admits("10.1.2.3/8", "10.255.255.255"));
    EXPECT_FALSE(admits("10.1.2.3/8", "11.0.0.0"));
    EXPECT_TRUE(admits("192.168.1.128/25", "192.168.1.200"));
    EXPECT_FALSE(admits("192.168.1.128/25", "192.168.1.127"));
    EXPECT_TRUE(admits("0.0.0.0/0", "203.0.113.9"));
    EXPECT_FALSE(admits("0.0.0.0/0", "2001:db8::1"));
    EXPECT_TRUE(admits("::/0", "2001:db8::1"));
    EXPECT_FALSE(admits("::/0", "192.0.2.1"));
    EXPECT_TRUE(admits("::ffff:10.0.0.0/104", "10.1.2.3"));
    EXPECT_TRUE(admits("2001:db8::/33", "2001:db8:7fff::1"));
    EXPECT_FALSE(admits("2001:db8::/33", "2001:db8:8000::1"));
}

/// D15: what .NET takes is taken, with a warning where it does not mean what it seems to.
TEST(AllowList, ReadsAddressesAsDotnetDoes) {
    EXPECT_TRUE(admits("10.1.34.01-10.1.34.255", "10.1.34.77"));
    EXPECT_FALSE(admits("10.1.34.01-10.1.34.255", "10.1.34.0"));
    EXPECT_TRUE(admits("10.0.0.010", "10.0.0.8"));
    EXPECT_TRUE(admits("0x0a.0.0.1", "10.0.0.1"));
    EXPECT_TRUE(admits("10.1", "10.0.0.1"));
    EXPECT_TRUE(admits("167772161", "10.0.0.1"));
    EXPECT_TRUE(admits("10.0.0.1-", "10.0.0.1"));
    AllowList list;
    EXPECT_EQ(list.add("10.1.34.01-10.1.34.255").value(), "");
    EXPECT_EQ(list.add("10.0.0.010").value(),
              "'10.0.0.010' means 10.0.0.8 in .NET and here; write that");
    EXPECT_NE(list.add("10.1").value(), "");
}

/// D15
TEST(AllowList, RangeThatEndsBeforeItBeginsAdmitsNobody) {
    AllowList list;
    EXPECT_NE(list.add("10.0.0.9-10.0.0.1").value().find("admits nobody"), std::string::npos);
    EXPECT_TRUE(list.admits_nobody());
}

TEST(AllowList, SaysWhatIsWrong) {
    for (const char* item :
         {"localhost", "1.1.1.1-2.2.2.2-3.3.3.3", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/",
          "::1-1.2.3.4", "10.0.0.08", "10.0.0.256", "1.2.3.4.5", "-", "/8", "010.0.0.0/8"}) {
        AllowList list;
        const auto added = list.add(item);
        ASSERT_FALSE(added.has_value()) << item;
        EXPECT_NE(added.error().message().find(item), std::string::npos);
        EXPECT_TRUE(list.admits_nobody());
    }
}

}  // namespace
}  // namespace hpb::config
