#pragma once

#include "net/coro.hpp"

namespace hpb::net {

/// Decides when a thread without work polls for a moment before it sleeps, like the halt polling of
/// hypervisors. In a virtual machine a sleeping processor takes tens of microseconds to wake, which
/// is most of a round trip between nearby hosts. Polling pays only if work arrives that soon: a
/// thread qualifies by several short waits in a row, and stops after the first long one, so that a
/// path of milliseconds costs nothing. Reads no clock.
class BusyPoll {
public:
    using TimePoint = Clock::time_point;

    /// @param most  how long to poll at most; 0: never.
    explicit BusyPoll(std::chrono::microseconds most) : most_(most) {}

    [[nodiscard]] bool is_worthwhile(TimePoint now) const {
        return short_waits_ >= kEarned && now >= not_before_;
    }
    [[nodiscard]] std::chrono::microseconds most() const { return most_; }
    /// The thread has been without work for this long, polling or asleep.
    void on_waited(Clock::duration time);
    void on_found();
    /// Polling found nothing.
    void on_nothing(TimePoint now);
    /// Other threads wanted this processor meanwhile: they take precedence for some time.
    void on_wanted_elsewhere(TimePoint now);

    /// Short waits in a row after which polling is worthwhile.
    static constexpr unsigned kEarned = 4;
    /// A poll that finds nothing costs as much as this many successful polls save.
    static constexpr unsigned kPrice = 4;
    /// Unsuccessful polls, net of the successful ones, after which polling pauses for kRest,
    /// doubling each time up to kMostRest.
    static constexpr unsigned kVain = 8;
    static constexpr std::chrono::milliseconds kRest{20};
    static constexpr std::chrono::milliseconds kMostRest{1000};

private:
    void rest(TimePoint now);

    std::chrono::microseconds most_;
    unsigned short_waits_ = 0;
    unsigned loss_ = 0;  // unsuccessful polls, less the savings of successful ones
    std::chrono::milliseconds rest_ = kRest;
    TimePoint not_before_ = TimePoint::min();
};

/// Runs the context on this thread until it is stopped.
/// @param most  see BusyPoll; 0 where there is one processor only.
void run_polling(asio::io_context& context, std::chrono::microseconds most);

}  // namespace hpb::net
