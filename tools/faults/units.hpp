// faults: a TCP proxy that behaves like a bad network on command. This part (units, shaping,
// command, script) decides and does no I/O: time and randomness are arguments. docs/fault-proxy.md
// is the user's view.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hpb::faults {

using Clock = std::chrono::steady_clock;
using Duration = std::chrono::nanoseconds;

/// Closed: both ends can be drawn.
template <class T>
struct Range {
    T low{};
    T high{};
    friend bool operator==(const Range&, const Range&) = default;
};

inline constexpr Duration kMaxDuration = std::chrono::hours(24);

/// "250us", "100ms", "5s", "2m", "0"; whole numbers, up to a day.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
/// In the largest unit that needs no fraction; parse_duration() reads it back.
[[nodiscard]] std::string format_duration(Duration duration);

/// Bits per second: "56kbit", "20mbit", "1gbit", or a number of bits; 1 kbit to 100 Gbit.
[[nodiscard]] Result<std::uint64_t> parse_rate(std::string_view text);
[[nodiscard]] std::string format_rate(std::uint64_t bits_per_second);

/// Bytes: "1500", "64KiB", "12MiB", "1GiB"; up to 1 GiB.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

/// "A..B" or "A" for both.
[[nodiscard]] Result<Range<Duration>> parse_duration_range(std::string_view text);
[[nodiscard]] Result<Range<std::uint64_t>> parse_size_range(std::string_view text);

/// errc::invalid_argument with these words.
[[nodiscard]] Error bad_argument(std::string detail);

}  // namespace hpb::faults
