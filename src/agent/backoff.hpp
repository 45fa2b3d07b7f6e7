#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace hpb::agent {

/// How long to wait before the next attempt to reach the relay: at once, then 0.5 s, 1 s, 2 s and
/// so on up to a limit that depends on why the last attempt failed. Sans-IO; randomness is an
/// argument.
class Backoff {
public:
    using Duration = std::chrono::milliseconds;

    /// A relay that does not answer may be back at any moment, and traffic shall flow within
    /// seconds of its return.
    static constexpr Duration kUnreachableLimit{3000};
    /// A relay that answers and refuses will hardly change its mind soon, and is not to be pressed.
    static constexpr Duration kRefusedLimit{30000};

    enum class Cause { unreachable, refused };

    /// @param random  uniform in [0, 1): spreads agents that lost the same relay over half of the
    /// wait.
    [[nodiscard]] Duration next(Cause cause, double random) {
        const Duration limit = cause == Cause::refused ? kRefusedLimit : kUnreachableLimit;
        Duration wait{0};
        if (failures_ > 0) {
            const std::size_t doublings = std::min<std::size_t>(failures_ - 1, 16);
            wait = std::min<Duration>(limit, Duration(500) * (1LL << doublings));
        }
        ++failures_;
        return Duration(
            static_cast<Duration::rep>(static_cast<double>(wait.count()) * (0.5 + random / 2)));
    }

    void reset() { failures_ = 0; }

private:
    std::size_t failures_ = 0;
};

}  // namespace hpb::agent
