#include "hc/rendezvous_host.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hpb::hc {
namespace {

// S8: a relay sends its listeners to itself, not to third parties.
TEST(RendezvousHost, IsTheRelayOrItsNeighbourInAzureOrConfigured) {
    const std::vector<std::string> none;
    EXPECT_TRUE(may_send_to("relay.example", "Relay.Example", none));
    EXPECT_TRUE(may_send_to("relay.example.", "relay.example", none));
    EXPECT_TRUE(may_send_to("127.0.0.1", "localhost", none));
    EXPECT_FALSE(may_send_to("127.0.0.1", "relay.example", none));
    EXPECT_FALSE(may_send_to("other.example", "relay.example", none));
    EXPECT_FALSE(may_send_to("192.0.2.7", "relay.example", none));

    EXPECT_TRUE(may_send_to("g23-prod-am3-010-sb.servicebus.windows.net",
                            "contoso.servicebus.windows.net", none));
    EXPECT_TRUE(may_send_to("g1-sb.servicebus.chinacloudapi.cn",
                            "contoso.servicebus.chinacloudapi.cn", none));
    EXPECT_FALSE(may_send_to("victim.windows.net", "contoso.servicebus.windows.net", none));
    EXPECT_FALSE(
        may_send_to("servicebus.windows.net.evil.example", "contoso.servicebus.windows.net", none));
    EXPECT_FALSE(may_send_to("g23.servicebus.windows.net", "relay.example", none));

    const std::vector<std::string> some{"public.example", "*.nodes.example"};
    EXPECT_TRUE(may_send_to("public.example", "relay.internal", some));
    EXPECT_TRUE(may_send_to("a.nodes.example", "relay.internal", some));
    EXPECT_FALSE(may_send_to("nodes.example", "relay.internal", some));
    EXPECT_FALSE(may_send_to("evilnodes.example", "relay.internal", some));
}

}  // namespace
}  // namespace hpb::hc
