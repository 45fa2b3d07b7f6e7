#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "session/memory_budget.hpp"

namespace hpb::session {

/// One session's pool of bytes; every stream has its own guaranteed share. What a stream holds
/// beyond its share comes out of the pool, and out of the process's budget if there is one.
///
/// A stream may hold at most sixteen times what is free (dynamic thresholds): a single stream gets
/// nearly everything, some is always left for the next one, and then the first must yield.
/// Invariant: used_ <= limit_, and used_ is taken from shared_.
class Budget {
public:
    Budget(std::uint64_t limit, std::uint64_t share, MemoryBudget* shared)
        : limit_(limit), share_(share), shared_(shared) {}
    Budget(const Budget&) = delete;
    Budget& operator=(const Budget&) = delete;
    ~Budget() { close(); }

    /// @return how many bytes a stream that holds `held` may add now.
    [[nodiscard]] std::uint64_t room(std::uint64_t held) const {
        return own_room(held) + pool_room(held);
    }
    /// A stream that holds `held` wants more. @return how much it was given: at most `wanted`, and
    /// nothing if that would be less than `least`.
    [[nodiscard]] std::uint64_t grow(std::uint64_t held, std::uint64_t wanted,
                                     std::uint64_t least) {
        const std::uint64_t own = std::min(wanted, own_room(held));
        std::uint64_t more = std::min(wanted - own, pool_room(held));
        if (shared_ != nullptr) more = shared_->take(more);
        used_ += more;
        if (own + more >= least) return own + more;
        give_back(more);
        return 0;
    }
    /// A stream has released bytes.
    void shrink(std::uint64_t from, std::uint64_t to) { give_back(excess(from) - excess(to)); }
    /// Releases everything; the budget is not used again.
    void close() {
        give_back(used_);
        limit_ = share_ = 0;
    }
    [[nodiscard]] std::uint64_t used() const { return used_; }
    /// @return what is free beyond the streams' own shares.
    [[nodiscard]] std::uint64_t free() const {
        const std::uint64_t own = limit_ - used_;
        return shared_ == nullptr ? own : std::min(own, shared_->room());
    }

private:
    static constexpr std::uint64_t kTimesFree = 16;

    [[nodiscard]] std::uint64_t excess(std::uint64_t held) const {
        return held > share_ ? held - share_ : 0;
    }
    [[nodiscard]] std::uint64_t own_room(std::uint64_t held) const {
        return held < share_ ? share_ - held : 0;
    }
    [[nodiscard]] std::uint64_t pool_room(std::uint64_t held) const {
        // The x for which excess + x = kTimesFree * (free - x).
        const std::uint64_t most = kTimesFree * free();
        const std::uint64_t has = excess(held);
        return most > has ? (most - has + kTimesFree) / (kTimesFree + 1) : 0;
    }
    void give_back(std::uint64_t size) {
        used_ -= size;
        if (shared_ != nullptr && size > 0) shared_->give_back(size);
    }

    std::uint64_t limit_;
    std::uint64_t share_;
    MemoryBudget* shared_;
    std::uint64_t used_ = 0;
};

}  // namespace hpb::session
