#include "ops/line_gate.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/reached.hpp"

namespace hpb::ops {
namespace {

using namespace std::chrono_literals;

// N2, S13: what a peer can provoke is written a few times, then counted.
TEST(LineGate, CountsWhatItHoldsBackAndTellsItWithTheNextLine) {
    const test::Reached held_back(Limit::held_back_lines);
    LineGate gate({.per_second = 0.1, .burst = 2}, {.per_second = 10, .burst = 10});
    const LineGate::TimePoint start{1h};
    EXPECT_EQ(gate.admit("a", start), "");
    EXPECT_EQ(gate.admit("a", start), "");
    EXPECT_EQ(gate.admit("a", start), std::nullopt);
    EXPECT_EQ(gate.admit("a", start + 1s), std::nullopt);
    EXPECT_EQ(gate.admit("a", start + 11s), " (and 2 more since the last such line)");
    EXPECT_EQ(held_back.times(), 2u);
}

TEST(LineGate, OneSourceDoesNotSilenceAnother) {
    LineGate gate({.per_second = 0.1, .burst = 2}, {.per_second = 1, .burst = 4});
    const LineGate::TimePoint start{1h};
    for (int i = 0; i < 1000; ++i) (void)gate.admit("loud", start);
    EXPECT_EQ(gate.admit("quiet", start), " (and 998 more since the last such line)");
}

TEST(LineGate, ManySourcesTogetherAreLimitedToo) {
    LineGate gate({.per_second = 0.1, .burst = 2}, {.per_second = 1, .burst = 4});
    const LineGate::TimePoint start{1h};
    int written = 0;
    for (int i = 0; i < 1000; ++i) written += gate.admit(std::to_string(i), start) ? 1 : 0;
    EXPECT_EQ(written, 4);
}

}  // namespace
}  // namespace hpb::ops
