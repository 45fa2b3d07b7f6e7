#include "net/dial/forbidden_address.hpp"

namespace hpb::net {

bool is_link_local_or_metadata(const asio::ip::address& address) {
    using namespace asio::ip;
    if (address.is_v6() && !address.to_v6().is_v4_mapped()) {
        // fd00:ec2::254 is Amazon's, fd20:ce::254 Google's.
        return address.to_v6().is_link_local() || address.to_v6().to_string() == "fd00:ec2::254" ||
               address.to_v6().to_string() == "fd20:ce::254";
    }
    const auto v4 = address.is_v4() ? address.to_v4() : make_address_v4(v4_mapped, address.to_v6());
    const auto bytes = v4.to_bytes();
    // Besides 169.254.0.0/16: Azure's and Alibaba's.
    return (bytes[0] == 169 && bytes[1] == 254) || v4.to_string() == "168.63.129.16" ||
           v4.to_string() == "100.100.100.200";
}

}  // namespace hpb::net
