#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "faults/units.hpp"

namespace hpb::faults {

/// The bottleneck of one direction of a link, shared by its connections: bytes leave one after the
/// other at the rate. A token bucket told from its other end: instead of tokens it keeps the time
/// at which all that was admitted will have left.
class Throttle {
public:
    /// nullopt: no limit. What was admitted before keeps its time.
    void set_rate(std::optional<std::uint64_t> bits_per_second);
    [[nodiscard]] std::optional<std::uint64_t> rate() const { return rate_; }

    /// How many bytes one admission should bring at most, so that a slow link trickles instead of
    /// passing lumps: about a millisecond's worth, 1500 bytes at least.
    [[nodiscard]] std::size_t quantum(std::size_t max) const;

    /// @return when `bytes` more fit into a queue of `queue` bytes before the bottleneck; `now` if
    /// they do already. Never waits for more than an empty queue.
    [[nodiscard]] Clock::time_point admission(Clock::time_point now, std::uint64_t bytes,
                                              std::uint64_t queue) const;

    /// Admits bytes. @return when the last of them has passed the bottleneck.
    [[nodiscard]] Clock::time_point pass(Clock::time_point now, std::uint64_t bytes);

private:
    [[nodiscard]] Duration time_of(std::uint64_t bytes) const;

    std::optional<std::uint64_t> rate_;
    Clock::time_point free_at_{};
    std::uint64_t fraction_ =
        0;  // of a nanosecond, in 1/rate_: what the divisions so far left over
};

/// When the bytes of a first-in-first-out buffer may leave it. Order is kept: bytes never leave
/// before earlier ones, also when the delay has shrunk meanwhile.
class ReleaseSchedule {
public:
    /// Marks closer than this are one: finer than a timer, and it bounds the number of marks by the
    /// delay, whatever the size of the pieces.
    static constexpr Duration kGrain = std::chrono::microseconds(10);

    void push(std::uint64_t bytes, Clock::time_point release);
    /// @return how many bytes may leave now; counts no further than `enough`.
    [[nodiscard]] std::uint64_t due(Clock::time_point now, std::uint64_t enough) const;
    /// `bytes` that were due have left.
    void consume(std::uint64_t bytes);
    void clear();

    [[nodiscard]] bool empty() const { return marks_.empty(); }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    [[nodiscard]] std::size_t marks() const { return marks_.size(); }
    /// When the first byte is due; not to be asked of an empty schedule.
    [[nodiscard]] Clock::time_point next() const { return marks_.front().release; }
    /// When the last byte ever pushed is or was due.
    [[nodiscard]] Clock::time_point last() const { return last_; }

private:
    struct Mark {
        Clock::time_point release;
        std::uint64_t bytes;
    };
    std::deque<Mark> marks_;
    std::uint64_t size_ = 0;
    Clock::time_point last_{};
};

}  // namespace hpb::faults
