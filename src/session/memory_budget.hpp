#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace hpb::session {

/// Bytes that all sessions of a process share, on whatever threads they are: what their streams
/// hold beyond their own shares. Never overrun. Thread-safe; outlives the sessions that use it.
class MemoryBudget {
public:
    explicit MemoryBudget(std::uint64_t limit) : limit_(limit) {}
    MemoryBudget(const MemoryBudget&) = delete;
    MemoryBudget& operator=(const MemoryBudget&) = delete;

    /// @return how many of the `wanted` bytes were granted; return them with give_back().
    [[nodiscard]] std::uint64_t take(std::uint64_t wanted) {
        std::uint64_t used = used_.load(std::memory_order_relaxed);
        std::uint64_t taken = 0;
        do {
            taken = std::min(wanted, limit_ - used);
        } while (taken > 0 &&
                 !used_.compare_exchange_weak(used, used + taken, std::memory_order_relaxed));
        return taken;
    }
    void give_back(std::uint64_t size) { used_.fetch_sub(size, std::memory_order_relaxed); }

    [[nodiscard]] std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t limit() const { return limit_; }
    /// A snapshot: another thread may take it at any time.
    [[nodiscard]] std::uint64_t room() const { return limit_ - used(); }

private:
    const std::uint64_t limit_;
    std::atomic<std::uint64_t> used_{0};
};

}  // namespace hpb::session
