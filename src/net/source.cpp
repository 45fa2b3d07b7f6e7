#include "net/source.hpp"

#include <algorithm>

namespace hpb::net {

std::string source_key(const asio::ip::address& address) {
    if (address.is_v4()) return address.to_string();
    const auto v6 = address.to_v6();
    if (v6.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string();
    auto bytes = v6.to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return asio::ip::address_v6(bytes).to_string() + "/64";
}

std::string source_key(const std::string& address) {
    error_code error;
    const auto parsed = asio::ip::make_address(address, error);
    return error ? std::string() : source_key(parsed);
}

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
