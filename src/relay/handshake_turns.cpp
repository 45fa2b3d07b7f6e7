#include "relay/handshake_turns.hpp"

#include <ctime>

namespace hpb::relay {
namespace {

// Not the clock's: what others do with the processor meanwhile is not this handshake's fault.
std::chrono::nanoseconds processor_time() {
    timespec now{};
    (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

net::awaitable<bool> HandshakeTurns::Pace::begin_step() {
    granted_ = false;
    turns_.enqueue(*this);
    while (!granted_ && !entry_.evicted()) co_await entry_.changed().wait();
    if (!granted_) {
        turns_.leave(*this);
        co_return false;
    }
    began_ = processor_time();
    co_return true;
}

void HandshakeTurns::Pace::end_step() {
    turns_.finish(processor_time() - began_);
}

void HandshakeTurns::enqueue(Pace& pace) {
    const std::string& source = pace.entry_.source();
    const auto known = sources_.find(source);
    if (known != sources_.end()) {
        known->second->waiting.push_back(&pace);
    } else {
        round_.push_back({source, {&pace}});
        sources_.emplace(source, std::prev(round_.end()));
    }
    if (!busy_) grant_next();
}

void HandshakeTurns::leave(Pace& pace) {
    const auto known = sources_.find(pace.entry_.source());
    if (known == sources_.end()) return;
    known->second->waiting.remove(&pace);
    if (!known->second->waiting.empty()) return;
    round_.erase(known->second);
    sources_.erase(known);
}

void HandshakeTurns::grant_next() {
    busy_ = !round_.empty();
    if (!busy_) return;
    Queue& queue = round_.front();
    Pace& next = *queue.waiting.front();
    queue.waiting.pop_front();
    if (queue.waiting.empty()) {
        sources_.erase(queue.source);
        round_.pop_front();
    } else {
        round_.splice(round_.end(), round_, round_.begin());
    }
    next.granted_ = true;
    next.entry_.changed().notify_all();
}

void HandshakeTurns::finish(std::chrono::nanoseconds spent) {
    pause_.expires_after(spent * kPause);
    pause_.async_wait([this](net::error_code error) {
        if (!error) grant_next();
    });
}

}  // namespace hpb::relay
