#include "hc/iso_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace hpb::hc {
namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::month;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr std::int64_t kFirstSecond = -62'135'596'800;  // 0001-01-01, .NET's DateTime.MinValue
constexpr std::int64_t kLastSecond = 253'402'300'799;   // the last of 9999

/// Takes `count` digits off the front of `text`.
std::optional<unsigned> take_digits(std::string_view& text, std::size_t count) {
    if (text.size() < count) return std::nullopt;
    unsigned value = 0;
    for (const char c : text.substr(0, count)) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + static_cast<unsigned>(c - '0');
    }
    text.remove_prefix(count);
    return value;
}

bool take(std::string_view& text, char expected) {
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(1);
    return true;
}

/// Seconds that the zone at the end of a time is ahead of UTC.
std::optional<std::int64_t> parse_zone(std::string_view text) {
    if (text.empty() || text == "Z") return 0;
    const std::int64_t sign = text.front() == '-' ? -1 : 1;
    if (!take(text, '+') && !take(text, '-')) return std::nullopt;
    const auto hours = take_digits(text, 2);
    if (!hours || *hours > 14 || !take(text, ':')) return std::nullopt;
    const auto minutes = take_digits(text, 2);
    if (!minutes || *minutes > 59 || !text.empty()) return std::nullopt;
    return sign * (*hours * 3600 + *minutes * 60);
}

std::optional<std::int64_t> take_date(std::string_view& text) {
    const auto years = take_digits(text, 4);
    if (!years || !take(text, '-')) return std::nullopt;
    const auto months = take_digits(text, 2);
    if (!months || !take(text, '-')) return std::nullopt;
    const auto month_days = take_digits(text, 2);
    if (!month_days) return std::nullopt;
    const year_month_day date{year{static_cast<int>(*years)}, month{*months}, day{*month_days}};
    if (!date.ok()) return std::nullopt;
    return std::int64_t{std::chrono::sys_days{date}.time_since_epoch().count()} * 86'400;
}

std::optional<std::int64_t> take_time_of_day(std::string_view& text) {
    const auto hours = take_digits(text, 2);
    if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
    const auto minutes = take_digits(text, 2);
    if (!minutes || *minutes > 59 || !take(text, ':')) return std::nullopt;
    const auto seconds = take_digits(text, 2);
    if (!seconds || *seconds > 60) return std::nullopt;
    if (take(text, '.')) {
        const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
        if (end == 0) return std::nullopt;
        text.remove_prefix(end);
    }
    return *hours * 3600 + *minutes * 60 + *seconds;
}

}  // namespace

std::string format_iso_time(std::int64_t unix_seconds) {
    using namespace std::chrono;
    const sys_seconds when{seconds{std::clamp(unix_seconds, kFirstSecond, kLastSecond)}};
    const auto midnight = floor<days>(when);
    const year_month_day date{midnight};
    const hh_mm_ss time{when - midnight};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", int{date.year()},
                       unsigned{date.month()}, unsigned{date.day()}, time.hours().count(),
                       time.minutes().count(), time.seconds().count());
}

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
    const auto date = take_date(text);
    if (!date || !take(text, 'T')) return std::nullopt;
    const auto time = take_time_of_day(text);
    if (!time) return std::nullopt;
    const auto zone = parse_zone(text);
    if (!zone) return std::nullopt;
    return *date + *time - *zone;
}

}  // namespace hpb::hc
