#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace hpb::agent {

/// How long to wait before the next attempt to register at the relay. The first one after a loss
/// comes at once, then waits double up to a limit that depends on why the last attempt failed.
/// Sans-IO; randomness (uniform in [0, 1)) is an argument, and spreads agents that lost the same
/// relay over half of each wait.
class Backoff {
public:
    using Duration = std::chrono::milliseconds;

    /// A relay that does not answer may be back at any moment, and traffic shall flow within a
    /// second of its return after a short absence, within seconds after a long one.
    static constexpr Duration kUnreachableFirst{100};
    static constexpr Duration kUnreachableLimit{3000};
    /// A relay that answers and refuses will hardly change its mind soon, and is not to be pressed.
    static constexpr Duration kRefusedFirst{500};
    static constexpr Duration kRefusedLimit{30000};
    /// A control channel that lasted as long was a success in every respect.
    static constexpr Duration kLasting{5000};
    /// One that did not even last this long is as good as none: several of them in a row look like
    /// a relay that throws us out.
    static constexpr Duration kGlimpse{200};

    enum class Cause { unreachable, refused };

    /// After an attempt that has failed.
    [[nodiscard]] Duration next(Cause cause, double random) {
        if (cause == Cause::refused)
            return spread(doubled(kRefusedFirst, kRefusedLimit, refusals_++), random);
        return spread(doubled(kUnreachableFirst, kUnreachableLimit, failures_++), random);
    }

    /// After the loss of a control channel that lasted for `lasted`. A relay that answers, however
    /// short its lives are, never makes a listener wait as one that does not: only glimpses in a
    /// row do.
    [[nodiscard]] Duration after_loss(Duration lasted, double random) {
        failures_ = 1;  // the attempt that comes now is the first one
        if (lasted >= kLasting) {
            refusals_ = 0;
            glimpses_ = 0;
            return Duration(0);
        }
        glimpses_ = lasted < kGlimpse ? glimpses_ + 1 : 1;
        return spread(doubled(kUnreachableFirst, kUnreachableLimit, glimpses_), random);
    }

private:
    // The first of a series comes at once.
    static Duration doubled(Duration first, Duration limit, std::size_t before) {
        if (before == 0) return Duration(0);
        return std::min<Duration>(limit, first * (1LL << std::min<std::size_t>(before - 1, 16)));
    }
    static Duration spread(Duration wait, double random) {
        return Duration(
            static_cast<Duration::rep>(static_cast<double>(wait.count()) * (0.5 + random / 2)));
    }

    std::size_t failures_ = 0;  // attempts in a row that reached nobody
    std::size_t refusals_ = 0;  // attempts that were refused since the last lasting success
    std::size_t glimpses_ = 0;  // control channels in a row that were lost at once
};

/// How long one attempt may take. Short at first, since a path that has swallowed a connection
/// answers the next one; longer after several attempts that got no answer, for a path that is slow.
class Patience {
public:
    using Duration = std::chrono::milliseconds;
    static constexpr Duration kLeast{5000};
    /// Attempts without an answer until the limit doubles.
    static constexpr std::size_t kAttempts = 4;

    explicit Patience(Duration keep_alive) : least_(std::max(kLeast, keep_alive)) {}

    [[nodiscard]] Duration limit(Duration most) const {
        const std::size_t doublings = std::min<std::size_t>(timeouts_ / kAttempts, 8);
        return std::min<Duration>(most, least_ * (1LL << doublings));
    }
    void on_timeout() { ++timeouts_; }
    void on_answer() { timeouts_ = 0; }

private:
    Duration least_;
    std::size_t timeouts_ = 0;
};

}  // namespace hpb::agent
