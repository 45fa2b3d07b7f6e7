#include "ops/limits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/reached.hpp"

namespace hpb::ops {
namespace {

TEST(Limits, AreCountedOnAnyThread) {
    const test::Reached late(Limit::late_handshakes);
    const test::Reached other(Limit::large_heads);
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([] {
            for (int j = 0; j < 1000; ++j) reached(Limit::late_handshakes);
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(late.times(), 4000u);
    EXPECT_EQ(other.times(), 0u);
}

TEST(Limits, EachHasANameOfItsOwnThatATableCanHave) {
    std::set<std::string_view> names;
    for (unsigned i = 0; i < static_cast<unsigned>(Limit::count_); ++i) {
        const auto text = name(static_cast<Limit>(i));
        EXPECT_TRUE(names.insert(text).second) << text;
        EXPECT_FALSE(text.empty());
        EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](unsigned char c) {
            return std::islower(c) != 0 || c == '_';
        })) << text;
    }
}

TEST(Limits, TheLineHasWhatWasReachedAndNothingElse) {
    reached(Limit::refused_listeners);
    reached(Limit::evicted_handshakes);
    const std::string text = limits_text();
    EXPECT_EQ(text.find("limits: "), 0u) << text;
    const std::string mine =
        " refused_listeners=" + std::to_string(count(Limit::refused_listeners));
    EXPECT_NE(text.find(mine), std::string::npos) << text;
    EXPECT_EQ(text.find("forgotten_ids"), std::string::npos) << text;
    // The relay's own line has it.
    EXPECT_EQ(text.find("evicted_handshakes"), std::string::npos) << text;
}

}  // namespace
}  // namespace hpb::ops
