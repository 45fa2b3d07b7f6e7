#pragma once

#include <cstdint>

#include "net/coro.hpp"

namespace hpb::app {

/// Serves the bundled web page on a free loopback port until the process ends. @return the port.
[[nodiscard]] Result<std::uint16_t> start_page_server(net::asio::io_context& context);

/// Sends back what it receives, on a free loopback port. @return the port.
[[nodiscard]] Result<std::uint16_t> start_echo_server(net::asio::io_context& context);

}  // namespace hpb::app
