#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hpb::hc {

/// A TCP address that the service agent connects to. The host is a name or an IP literal (no
/// brackets).
struct TargetAddress {
    std::string host;
    std::uint16_t port = 0;

    [[nodiscard]] std::string to_string() const;  ///< host:port, IPv6 in brackets
    bool operator==(const TargetAddress&) const = default;
};

/// Configuration key of the preamble -> target.
using TargetMap = std::map<std::int32_t, TargetAddress>;

/// `tcp:host:port`, `host:port` or `[v6]:port`, with $(e) in the host standing for `entity`.
/// @return errc::malformed_address with what to write instead.
[[nodiscard]] Result<TargetAddress> parse_target(std::string_view text, std::string_view entity);

/// The entity's UserMetadata: [{"key":"5011","value":"tcp:localhost:5011"}] in lenient JSON
/// (parse_lenient_json) with the rules of the existing bridge: keys that are no integers are
/// skipped, the last duplicate wins, and a bad value under an integer key, no array, or no usable
/// entry is an error that says which item is wrong.
[[nodiscard]] Result<TargetMap> parse_user_metadata(std::string_view json, std::string_view entity);

}  // namespace hpb::hc
