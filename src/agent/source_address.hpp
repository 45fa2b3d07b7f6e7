#pragma once

#include <algorithm>

#include "net/coro.hpp"
#include "session/frame_codec.hpp"

namespace hpb::agent {

/// The source address of an application's connection, as OPEN carries it.
[[nodiscard]] inline session::SourceAddress source_address(const net::tcp::endpoint& endpoint) {
    session::SourceAddress source;
    source.port = endpoint.port();
    const auto fill = [&](const auto& bytes) {
        std::transform(bytes.begin(), bytes.end(), source.address.begin(),
                       [](unsigned char byte) { return static_cast<std::byte>(byte); });
    };
    if (endpoint.address().is_v4()) {
        source.family = 4;
        fill(endpoint.address().to_v4().to_bytes());
    } else {
        source.family = 6;
        fill(endpoint.address().to_v6().to_bytes());
    }
    return source;
}

/// The reverse, for log lines; "unknown" if it was not given.
[[nodiscard]] inline std::string to_text(const session::SourceAddress& source) {
    if (source.family == 1) return "a local connection";
    if (source.family == 4) {
        net::asio::ip::address_v4::bytes_type bytes;
        for (std::size_t i = 0; i < bytes.size(); ++i)
            bytes[i] = static_cast<unsigned char>(source.address[i]);
        return net::asio::ip::make_address_v4(bytes).to_string() + ":" +
               std::to_string(source.port);
    }
    if (source.family != 6) return "unknown";
    net::asio::ip::address_v6::bytes_type bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<unsigned char>(source.address[i]);
    return "[" + net::asio::ip::make_address_v6(bytes).to_string() +
           "]:" + std::to_string(source.port);
}

}  // namespace hpb::agent
