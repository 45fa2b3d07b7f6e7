#pragma once

#include "net/coro.hpp"

namespace hpb::net {

/// Decides when a thread without work looks for more for a moment before it sleeps. A processor
/// that sleeps takes tens of microseconds to wake in a virtual machine, which is most of a round
/// trip between neighbours. Looking pays where work comes back that soon, and only there: a thread
/// earns it by short waits in a row, and loses it with the first long one, so that a path of
/// milliseconds costs nothing. As the halt polling of hypervisors does. Reads no clock.
class BusyPoll {
public:
    using TimePoint = Clock::time_point;

    /// @param most  how long to look at most; 0: never.
    explicit BusyPoll(std::chrono::microseconds most) : most_(most) {}

    [[nodiscard]] bool is_worthwhile(TimePoint now) const {
        return short_waits_ >= kEarned && now >= not_before_;
    }
    [[nodiscard]] std::chrono::microseconds most() const { return most_; }
    /// The thread has been without work for so long, looking or asleep.
    void on_waited(Clock::duration time);
    void on_found();
    /// Nothing came while it looked.
    void on_nothing(TimePoint now);
    /// Others had work for this processor meanwhile: theirs goes first for some time.
    void on_wanted_elsewhere(TimePoint now);

    /// Short waits in a row after which looking is worthwhile.
    static constexpr unsigned kEarned = 4;
    /// A vain look costs as much as so many that find something save.
    static constexpr unsigned kPrice = 4;
    /// Vain looks that were not made good, after which there are none for kRest, twice as long each
    /// time up to kMostRest.
    static constexpr unsigned kVain = 8;
    static constexpr std::chrono::milliseconds kRest{20};
    static constexpr std::chrono::milliseconds kMostRest{1000};

private:
    void rest(TimePoint now);

    std::chrono::microseconds most_;
    unsigned short_waits_ = 0;
    unsigned loss_ = 0;  // vain looks, less what was found
    std::chrono::milliseconds rest_ = kRest;
    TimePoint not_before_ = TimePoint::min();
};

/// Runs the context on this thread until it is stopped.
/// @param most  see BusyPoll; 0 where there is one processor only.
void run_polling(asio::io_context& context, std::chrono::microseconds most);

}  // namespace hpb::net
