#include "http/forwarded.hpp"

#include <gtest/gtest.h>

namespace hpb::http {
namespace {

using Hops = std::vector<std::string>;

Headers with(std::initializer_list<Header> fields) {
    Headers headers;
    for (const auto& [name, value] : fields) headers.add(name, value);
    return headers;
}

TEST(Forwarded, XForwardedForIsAListInOneFieldOrSeveral) {
    EXPECT_EQ(x_forwarded_for({}), Hops());
    EXPECT_EQ(x_forwarded_for(with({{"X-Forwarded-For", "192.0.2.1"}})), Hops({"192.0.2.1"}));
    EXPECT_EQ(x_forwarded_for(with({{"x-forwarded-for", " a,\tb "}, {"X-FORWARDED-FOR", "c"}})),
              Hops({"a", "b", "c"}));
    EXPECT_EQ(x_forwarded_for(with({{"X-Forwarded-For", "a,"}})), Hops({"a", ""}));
    EXPECT_EQ(x_forwarded_for(with({{"X-Forwarded-For", ""}})), Hops({""}));
}

// RFC 7239 sections 4 and 7.1.
TEST(Forwarded, ForOfEachElement) {
    const std::tuple<const char*, Hops> rows[] = {
        {"for=192.0.2.60;proto=http;by=203.0.113.43", {"192.0.2.60"}},
        {"For=\"[2001:db8:cafe::17]:4711\"", {"[2001:db8:cafe::17]:4711"}},
        {"for=192.0.2.43, for=198.51.100.17", {"192.0.2.43", "198.51.100.17"}},
        {"for=_mystery,for=unknown", {"_mystery", "unknown"}},
        {"proto=https", {""}},
        {"by=\"a,for=1.1.1.1;\";for=192.0.2.1", {"192.0.2.1"}},
        {"for=\"a\\\",b\"", {"a\\\",b"}},
        {"for=\"192.0.2.1", {"\"192.0.2.1"}},
        {"for = 192.0.2.1 ;", {"192.0.2.1"}},
        {"", {""}},
        {"for", {""}}};
    for (const auto& [value, expected] : rows)
        EXPECT_EQ(forwarded_for(with({{"Forwarded", value}})), expected) << value;
    EXPECT_EQ(forwarded_for(with({{"Forwarded", "for=a"}, {"forwarded", "for=b"}})),
              Hops({"a", "b"}));
}

TEST(Forwarded, Nodes) {
    const std::tuple<const char*, const char*, unsigned> rows[] = {
        {"192.0.2.1", "192.0.2.1", 0},
        {"192.0.2.1:8080", "192.0.2.1", 8080},
        {"192.0.2.1:0", "192.0.2.1", 0},
        {"192.0.2.1:70000", "192.0.2.1", 0},
        {"192.0.2.1:_port", "192.0.2.1", 0},
        {"2001:db8::1", "2001:db8::1", 0},
        {"[2001:db8::1]", "2001:db8::1", 0},
        {"[2001:db8::1]:443", "2001:db8::1", 443},
        {"[2001:db8::1", "[2001:db8::1", 0},
        {"[]", "", 0},
        {"", "", 0}};
    for (const auto& [text, host, port] : rows) {
        const auto node = parse_forwarded_node(text);
        EXPECT_EQ(node.host, host) << text;
        EXPECT_EQ(node.port, port) << text;
    }
}

}  // namespace
}  // namespace hpb::http
