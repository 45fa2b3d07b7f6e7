#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hpb::hc {

/// A random version 4 GUID: lower case, with hyphens.
[[nodiscard]] std::string make_guid();

/// True if the first 36 characters are a GUID (Java's client parses them as one).
[[nodiscard]] bool starts_with_guid(std::string_view text);

/// `{guid}_G0` from what a client sent: its GUID (cut at the first '_') or a new one.
[[nodiscard]] std::string make_tracking_id(std::string_view client_id);

/// "{sentence}. TrackingId:{id}, SystemTracker:{tracker}, Timestamp:2026-01-31T10:00:00", on one
/// line of visible ASCII, 1 KiB at most.
[[nodiscard]] std::string tracked_message(std::string_view sentence, std::string_view tracking_id,
                                          std::string_view system_tracker,
                                          std::int64_t unix_seconds);

}  // namespace hpb::hc
