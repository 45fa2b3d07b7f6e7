#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace hpb::agent {

/// Back-off of the attempts to register at the relay. The first attempt after a loss is immediate;
/// then the wait doubles up to a limit that depends on why the last attempt failed.
/// Sans-IO; randomness (uniform in [0, 1)) is an argument, and spreads agents that lost the same
/// relay over half of each wait.
class Backoff {
public:
    using Duration = std::chrono::milliseconds;

    /// A relay that does not answer may be back at any moment. Traffic should flow within a second
    /// of its return after a short outage, and within seconds after a long one.
    static constexpr Duration kUnreachableFirst{100};
    static constexpr Duration kUnreachableLimit{3000};
    /// A relay that answers and refuses will probably refuse again, and should not be retried
    /// quickly.
    static constexpr Duration kRefusedFirst{500};
    static constexpr Duration kRefusedLimit{30000};
    /// A control channel that lasted this long counts as a full success.
    static constexpr Duration kLasting{5000};
    /// One that did not last this long counts as a failure: several of them in a row suggest that
    /// the relay disconnects us.
    static constexpr Duration kGlimpse{200};

    enum class Cause { unreachable, refused };

    /// After an attempt that has failed.
    [[nodiscard]] Duration next(Cause cause, double random) {
        if (cause == Cause::refused)
            return spread(doubled(kRefusedFirst, kRefusedLimit, refusals_++), random);
        return spread(doubled(kUnreachableFirst, kUnreachableLimit, failures_++), random);
    }

    /// After the loss of a control channel that lasted for `lasted`. A relay that answers, however
    /// briefly, never causes the wait of one that does not answer; only very short control channels
    /// in a row do.
    [[nodiscard]] Duration after_loss(Duration lasted, double random) {
        failures_ = 1;  // the next attempt is the first one
        if (lasted >= kLasting) {
            refusals_ = 0;
            glimpses_ = 0;
            return Duration(0);
        }
        glimpses_ = lasted < kGlimpse ? glimpses_ + 1 : 1;
        return spread(doubled(kUnreachableFirst, kUnreachableLimit, glimpses_), random);
    }

private:
    // The first of a series is immediate.
    static Duration doubled(Duration first, Duration limit, std::size_t before) {
        if (before == 0) return Duration(0);
        return std::min<Duration>(limit, first * (1LL << std::min<std::size_t>(before - 1, 16)));
    }
    static Duration spread(Duration wait, double random) {
        return Duration(
            static_cast<Duration::rep>(static_cast<double>(wait.count()) * (0.5 + random / 2)));
    }

    std::size_t failures_ = 0;  // attempts in a row without an answer
    std::size_t refusals_ = 0;  // attempts that were refused since the last lasting success
    std::size_t glimpses_ = 0;  // very short control channels in a row
};

/// How long one attempt may take. Short at first, since a path that has dropped one connection
/// usually answers the next; longer after several unanswered attempts, for a slow path.
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
