#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hpb::hc {

/// "2026-01-31T10:00:00", UTC without saying so. Years beyond 0001..9999 are clamped.
[[nodiscard]] std::string format_iso_time(std::int64_t unix_seconds);

/// xs:dateTime: a fraction is cut off, an offset counted in, no zone taken for UTC.
[[nodiscard]] std::optional<std::int64_t> parse_iso_time(std::string_view text);

}  // namespace hpb::hc
