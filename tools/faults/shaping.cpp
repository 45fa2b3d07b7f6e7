#include "faults/shaping.hpp"

#include <algorithm>

namespace hpb::faults {
namespace {

constexpr std::uint64_t kBitNanoseconds =
    8'000'000'000;                         // bits in a byte x nanoseconds in a second
constexpr std::size_t kMinQuantum = 1500;  // a packet
constexpr std::uint64_t kQuantaPerSecond = 1000;
// The largest number of bytes whose product with kBitNanoseconds fits into 64 bits.
constexpr std::uint64_t kMaxBytes = 2'000'000'000;

}  // namespace

void Throttle::set_rate(std::optional<std::uint64_t> bits_per_second) {
    rate_ = bits_per_second;
    fraction_ = 0;
}

std::size_t Throttle::quantum(std::size_t max) const {
    if (!rate_) return max;
    const std::uint64_t bytes = *rate_ / 8 / kQuantaPerSecond;
    return static_cast<std::size_t>(
        std::clamp<std::uint64_t>(bytes, std::min(kMinQuantum, max), max));
}

Duration Throttle::time_of(std::uint64_t bytes) const {
    const std::uint64_t time = std::min(bytes, kMaxBytes) * kBitNanoseconds / *rate_;
    return Duration(static_cast<Duration::rep>(time));
}

Clock::time_point Throttle::admission(Clock::time_point now, std::uint64_t bytes,
                                      std::uint64_t queue) const {
    if (!rate_) return now;
    const Duration allowed = queue > bytes ? time_of(queue - bytes) : Duration::zero();
    return std::max(now, free_at_ - allowed);
}

Clock::time_point Throttle::pass(Clock::time_point now, std::uint64_t bytes) {
    if (!rate_) return std::max(now, free_at_);
    if (free_at_ < now) {  // it has been idle: nothing to carry over
        free_at_ = now;
        fraction_ = 0;
    }
    const std::uint64_t work = std::min(bytes, kMaxBytes) * kBitNanoseconds + fraction_;
    free_at_ += Duration(static_cast<Duration::rep>(work / *rate_));
    fraction_ = work % *rate_;
    return free_at_;
}

void ReleaseSchedule::push(std::uint64_t bytes, Clock::time_point release) {
    if (bytes == 0) return;
    last_ = std::max(last_, release);
    size_ += bytes;
    if (!marks_.empty() && last_ - marks_.back().release < kGrain) {
        marks_.back().bytes += bytes;
    } else {
        marks_.push_back({last_, bytes});
    }
}

std::uint64_t ReleaseSchedule::due(Clock::time_point now, std::uint64_t enough) const {
    std::uint64_t bytes = 0;
    for (const auto& mark : marks_) {
        if (mark.release > now || bytes >= enough) break;
        bytes += mark.bytes;
    }
    return std::min(bytes, enough);
}

void ReleaseSchedule::consume(std::uint64_t bytes) {
    size_ -= bytes;
    while (bytes > 0) {
        auto& mark = marks_.front();
        const std::uint64_t part = std::min(bytes, mark.bytes);
        mark.bytes -= part;
        bytes -= part;
        if (mark.bytes == 0) marks_.pop_front();
    }
}

void ReleaseSchedule::clear() {
    marks_.clear();
    size_ = 0;
}

}  // namespace hpb::faults
