#include "relay/public_address.hpp"

#include <gtest/gtest.h>

namespace hpb::relay {
namespace {

std::string base(const config::RelayOptions& options, bool tls, const char* peer,
                 const char* proto = nullptr) {
    http::RequestHead request;
    request.headers.add("Host", "called.example:8443");
    if (proto != nullptr) request.headers.add("X-Forwarded-Proto", proto);
    return PublicAddress(options, tls)
        .base(request, {net::asio::ip::make_address(peer), std::uint16_t{1}});
}

// F2: behind a proxy that does TLS, the relay's own scheme is not the public one.
TEST(PublicAddress, TheSchemeIsThatOfATrustedProxy) {
    config::RelayOptions options;
    ASSERT_TRUE(options.trusted_proxies.add("10.0.0.0/8"));
    ASSERT_TRUE(options.trusted_proxies.add("::1"));
    EXPECT_EQ(base(options, false, "10.1.2.3", "https"), "wss://called.example:8443");
    EXPECT_EQ(base(options, false, "::ffff:10.1.2.3", "WSS"), "wss://called.example:8443");
    EXPECT_EQ(base(options, false, "::1", "https, http"), "wss://called.example:8443");
    EXPECT_EQ(base(options, false, "10.1.2.3"), "ws://called.example:8443");
    EXPECT_EQ(base(options, false, "10.1.2.3", "gopher"), "ws://called.example:8443");
    EXPECT_EQ(base(options, true, "10.1.2.3", "http"), "ws://called.example:8443");
    EXPECT_EQ(base(options, false, "192.0.2.1", "https"), "ws://called.example:8443");
    EXPECT_EQ(base(options, true, "192.0.2.1", "http"), "wss://called.example:8443");
}

TEST(PublicAddress, F2ItsOwnSchemeDecides) {
    const std::tuple<const char*, bool, const char*> rows[] = {
        {"https://relay.example", false, "wss://relay.example"},
        {"wss://relay.example:8443/", false, "wss://relay.example:8443"},
        {"http://relay.example", true, "ws://relay.example"},
        {"relay.example", false, "ws://relay.example"},
        {"relay.example:8443", true, "wss://relay.example:8443"},
        {"[2001:db8::1]:443", true, "wss://[2001:db8::1]:443"}};
    for (const auto& [address, tls, expected] : rows) {
        config::RelayOptions options;
        options.public_address = address;
        ASSERT_TRUE(options.trusted_proxies.add("*"));
        EXPECT_EQ(base(options, tls, "192.0.2.1"), expected);
    }
    config::RelayOptions options;
    options.public_address = "https://relay.example";
    ASSERT_TRUE(options.trusted_proxies.add("*"));
    EXPECT_EQ(base(options, false, "192.0.2.1", "http"), "wss://relay.example");
}

}  // namespace
}  // namespace hpb::relay
