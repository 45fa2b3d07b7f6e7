#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/token_bucket.hpp"

namespace hpb::ops {

/// The end of a line that stands for others too: "" or " (and 7 more since the last such line)".
[[nodiscard]] std::string more_since(std::uint64_t held_back);

/// Decides which lines of one kind are written where peers can provoke any number of them: a few at
/// once and then some a minute for each source, and not too many for all sources together. The
/// others are counted, and told with the next line. One gate for each kind of line. Thread-safe.
class LineGate {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    /// Lines a second, and at once.
    struct Rate {
        double per_second;
        double burst;
    };
    static constexpr Rate kSourceRate{0.1, 5};
    static constexpr Rate kTotalRate{2, 20};
    /// Sources that are told apart; beyond that the one that was quiet for longest is forgotten.
    static constexpr std::size_t kMaxSources = 1024;

    explicit LineGate(Rate source = kSourceRate, Rate total = kTotalRate)
        : sources_(source.per_second, source.burst, kMaxSources),
          total_(total.per_second, total.burst) {}

    /// @param source  who provokes the line: an address (net::source_key) or a name.
    /// @return what the line has to end with (more_since()); nullopt: not now.
    [[nodiscard]] std::optional<std::string> admit(std::string_view source, TimePoint now);
    [[nodiscard]] std::optional<std::string> admit(std::string_view source) {
        return admit(source, std::chrono::steady_clock::now());
    }

private:
    std::mutex mutex_;
    SourceBuckets sources_;
    TokenBucket total_;
    std::uint64_t held_back_ = 0;
};

}  // namespace hpb::ops
