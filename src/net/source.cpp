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

std::array<std::uint8_t, 16> address_bytes(const asio::ip::address& address) {
    const auto v6 = address.is_v4()
                        ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4())
                        : address.to_v6();
    return v6.to_bytes();
}

}  // namespace hpb::net
