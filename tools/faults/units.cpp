#include "faults/units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <span>

#include "base/text.hpp"

namespace hpb::faults {
namespace {

constexpr std::uint64_t kMaxSize = 1024 * 1024 * 1024;
constexpr std::uint64_t kMinRate = 1000;
constexpr std::uint64_t kMaxRate = 100'000'000'000;

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};
// Each list from small to large: formatting takes the last one that divides.
constexpr std::array kDurationUnits{Unit{"ns", 1}, Unit{"us", 1000}, Unit{"ms", 1'000'000},
                                    Unit{"s", 1'000'000'000}, Unit{"m", 60'000'000'000}};
constexpr std::array kRateUnits{Unit{"bit", 1}, Unit{"kbit", 1000}, Unit{"mbit", 1'000'000},
                                Unit{"gbit", 1'000'000'000}};
constexpr std::array kSizeUnits{Unit{"", 1}, Unit{"KiB", 1024}, Unit{"MiB", 1024 * 1024},
                                Unit{"GiB", 1024 * 1024 * 1024}};

struct Quantity {
    std::string_view kind;     // for messages
    std::string_view example;  // for messages
    std::span<const Unit> units;
    std::string_view plain_unit;  // what a number without a unit is in; "-": only 0 may stand alone
    std::uint64_t max;
};
constexpr Quantity kDuration{"a duration", "250us, 100ms or 5s", kDurationUnits, "-",
                             static_cast<std::uint64_t>(kMaxDuration.count())};
constexpr Quantity kRate{"a rate", "56kbit, 20mbit or 1gbit", kRateUnits, "bit", kMaxRate};
constexpr Quantity kSize{"a size", "1500, 64KiB or 12MiB", kSizeUnits, "", kMaxSize};

Result<std::uint64_t> parse(std::string_view text, const Quantity& quantity) {
    const auto wrong = [&] {
        return bad_argument(fmt::format("'{}' is not {}: write it like {}", printable(text, 40),
                                        quantity.kind, quantity.example));
    };
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end == text.data()) return wrong();
    std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    if (unit.empty()) {
        if (number == 0) return number;
        unit = quantity.plain_unit;
    }
    for (const auto& candidate : quantity.units) {
        if (!iequals(candidate.name, unit)) continue;
        if (number > quantity.max / candidate.factor) {
            return bad_argument(fmt::format("'{}' is more than the limit for {}",
                                            printable(text, 40), quantity.kind));
        }
        return number * candidate.factor;
    }
    return wrong();
}

std::string format(std::uint64_t value, std::span<const Unit> units) {
    const Unit* best = &units.front();
    for (const auto& unit : units) {
        if (value % unit.factor == 0) best = &unit;
    }
    return value == 0 ? "0" : fmt::format("{}{}", value / best->factor, best->name);
}

template <class T, class Parse>
Result<Range<T>> parse_range(std::string_view text, Parse parse_one) {
    const auto dots = text.find("..");
    const auto low = parse_one(text.substr(0, dots));
    if (!low) return low.error();
    if (dots == std::string_view::npos) return Range<T>{*low, *low};
    const auto high = parse_one(text.substr(dots + 2));
    if (!high) return high.error();
    if (*low > *high) {
        return bad_argument(fmt::format("'{}' begins above its end", printable(text, 80)));
    }
    return Range<T>{*low, *high};
}

}  // namespace

Error bad_argument(std::string detail) {
    return {make_error_code(errc::invalid_argument), std::move(detail)};
}

Result<Duration> parse_duration(std::string_view text) {
    const auto count = parse(text, kDuration);
    if (!count) return count.error();
    return Duration(static_cast<Duration::rep>(*count));
}

std::string format_duration(Duration duration) {
    return format(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

Result<std::uint64_t> parse_rate(std::string_view text) {
    const auto rate = parse(text, kRate);
    if (rate && *rate < kMinRate) {
        return bad_argument(
            "a rate has to be 1kbit at least; use stall to let nothing pass, or "
            "unlimited");
    }
    return rate;
}

std::string format_rate(std::uint64_t bits_per_second) {
    return format(bits_per_second, kRateUnits);
}

Result<std::uint64_t> parse_size(std::string_view text) {
    return parse(text, kSize);
}

Result<Range<Duration>> parse_duration_range(std::string_view text) {
    return parse_range<Duration>(text, parse_duration);
}

Result<Range<std::uint64_t>> parse_size_range(std::string_view text) {
    return parse_range<std::uint64_t>(text, parse_size);
}

}  // namespace hpb::faults
