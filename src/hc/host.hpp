#pragma once

#include <string_view>

namespace hpb::hc {

/// Letters, digits, '-', '.' and '_', 253 at most: DNS names and IPv4 literals.
[[nodiscard]] bool is_host_name(std::string_view text);

/// RFC 4291 section 2.2, without brackets and without a zone.
[[nodiscard]] bool is_ipv6_literal(std::string_view text);

/// A whole number from 1 to 65535 written in digits only; 0 for anything else.
[[nodiscard]] unsigned short parse_port(std::string_view text);

}  // namespace hpb::hc
