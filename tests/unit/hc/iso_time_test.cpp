#include "hc/iso_time.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace hpb::hc {
namespace {

TEST(IsoTime, Formats) {
    EXPECT_EQ(format_iso_time(1769853600), "2026-01-31T10:00:00");
    EXPECT_EQ(format_iso_time(-1), "1969-12-31T23:59:59");
    EXPECT_EQ(format_iso_time(std::numeric_limits<std::int64_t>::min()), "0001-01-01T00:00:00");
    EXPECT_EQ(format_iso_time(std::numeric_limits<std::int64_t>::max()), "9999-12-31T23:59:59");
}

TEST(IsoTime, ParsesEveryZoneForm) {
    for (const auto* text :
         {"2026-01-31T10:00:00", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00.1234567Z",
          "2026-01-31T12:30:00+02:30", "2026-01-31T09:00:00.5-01:00"}) {
        EXPECT_EQ(parse_iso_time(text), 1769853600) << text;
    }
    EXPECT_EQ(parse_iso_time("0001-01-01T00:00:00"), -62'135'596'800);
}

TEST(IsoTime, RefusesOthers) {
    for (const auto* text :
         {"", "2026-01-31", "2026-02-30T00:00:00Z", "2026-01-31 10:00:00", "2026-13-01T00:00:00",
          "2026-01-31T24:00:00", "2026-01-31T10:60:00", "2026-01-31T10:00:61",
          "2026-01-31T10:00:00.", "2026-01-31T10:00:00ZZ", "2026-01-31T10:00:00+2",
          "2026-01-31T10:00:00+15:00", "20x6-01-31T10:00:00"}) {
        EXPECT_EQ(parse_iso_time(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace hpb::hc
