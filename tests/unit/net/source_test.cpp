#include "net/source.hpp"

#include <gtest/gtest.h>

#include "net/dial/forbidden_address.hpp"

namespace hpb::net {
namespace {

// S8: what only the machine itself can see is no target that somebody else chooses.
TEST(Source, LinkLocalAndMetadataAddressesAreKnown) {
    for (const auto* address : {"169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254",
                                "fe80::1", "fd00:ec2::254", "168.63.129.16", "100.100.100.200"})
        EXPECT_TRUE(is_link_local_or_metadata(asio::ip::make_address(address))) << address;
    for (const auto* address : {"127.0.0.1", "10.0.0.1", "169.253.1.1", "fd00::1", "::1"})
        EXPECT_FALSE(is_link_local_or_metadata(asio::ip::make_address(address))) << address;
}

}  // namespace
}  // namespace hpb::net
