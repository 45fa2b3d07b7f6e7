#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/allow_list.hpp"

namespace hpb::config {

/// A whole number as .NET's configuration reads it: blanks around it, a plus sign, or hexadecimal
/// after 0x, &h or #.
[[nodiscard]] std::optional<long long> parse_dotnet_int(std::string_view text);

/// An IP address as .NET's IPAddress.Parse reads it: what parse_ip() takes, and of IPv4 also parts
/// in octal (leading zero) and hexadecimal, and short forms (10.1 is 10.0.0.1).
[[nodiscard]] std::optional<IpBytes> parse_dotnet_ip(std::string_view text);

/// True if parse_dotnet_ip() reads `text` as something that a person may not see in it: 10.0.0.010
/// is 10.0.0.8. (10.0.0.01 is 10.0.0.1 to everybody.)
[[nodiscard]] bool is_surprising_ip(std::string_view text);

/// @return a.b.c.d of an IPv4 address.
[[nodiscard]] std::string ipv4_text(const IpBytes& ip);

}  // namespace hpb::config
