#include "ops/line_gate.hpp"

#include <utility>

#include "ops/limits.hpp"

namespace hpb::ops {

std::string more_since(std::uint64_t held_back) {
    if (held_back == 0) return "";
    return " (and " + std::to_string(held_back) + " more since the last such line)";
}

std::optional<std::string> LineGate::admit(std::string_view source, TimePoint now) {
    const std::lock_guard lock(mutex_);
    // A source beyond its own rate takes nothing from the others.
    if (!sources_.of(source).try_take(now) || !total_.try_take(now)) {
        ++held_back_;
        reached(Limit::held_back_lines);
        return std::nullopt;
    }
    return more_since(std::exchange(held_back_, 0));
}

}  // namespace hpb::ops
