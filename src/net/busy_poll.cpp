#include "net/busy_poll.hpp"

#include <sched.h>

#include <thread>

namespace hpb::net {
namespace {

// A yield that takes longer has let another thread work, not just poll.
constexpr std::chrono::microseconds kOthersWork{60};

/// @return false if nothing came.
bool look(asio::io_context& context, BusyPoll& policy, Clock::time_point since) {
    auto now = since;
    while (now - since < policy.most()) {
        if (context.poll() != 0) {
            policy.on_found();
            return true;
        }
        const auto before = Clock::now();
        ::sched_yield();
        now = Clock::now();
        if (now - before > kOthersWork) {
            policy.on_wanted_elsewhere(now);
            return false;
        }
    }
    policy.on_nothing(now);
    return false;
}

}  // namespace

void BusyPoll::on_waited(Clock::duration time) {
    // Twice as long: waits become shorter when the other threads along the path poll too.
    if (time < 2 * most_) {
        if (short_waits_ < kEarned) ++short_waits_;
    } else {
        short_waits_ = 0;
    }
}

void BusyPoll::on_found() {
    if (loss_ > 0) --loss_;
    if (loss_ == 0) rest_ = kRest;
}

void BusyPoll::on_nothing(TimePoint now) {
    loss_ += kPrice;
    if (loss_ >= kVain * kPrice) rest(now);
}

void BusyPoll::on_wanted_elsewhere(TimePoint now) {
    loss_ += kVain * kPrice / 2;
    if (loss_ >= kVain * kPrice) rest(now);
}

void BusyPoll::rest(TimePoint now) {
    loss_ = 0;
    short_waits_ = 0;
    not_before_ = now + rest_;
    rest_ = std::min(2 * rest_, kMostRest);
}

void run_polling(asio::io_context& context, std::chrono::microseconds most) {
    if (most.count() == 0 || std::thread::hardware_concurrency() < 2) {
        context.run();
        return;
    }
    BusyPoll policy(most);
    while (!context.stopped()) {
        context.poll();
        const auto since = Clock::now();
        if (policy.is_worthwhile(since) && look(context, policy, since)) continue;
        context.run_one();
        // Includes the work that follows: if that takes long, the wait is not the main cost.
        policy.on_waited(Clock::now() - since);
    }
}

}  // namespace hpb::net
