#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace hpb::agent {

/// A limit on how many of something exist at once, shared between threads. Tickets keep it alive.
class Quota {
public:
    explicit Quota(std::size_t limit) : limit_(limit) {}

    /// One place; released when destroyed.
    class Ticket {
    public:
        Ticket() = default;
        Ticket(Ticket&& other) noexcept = default;
        Ticket& operator=(Ticket&& other) noexcept {
            std::swap(quota_, other.quota_);
            return *this;
        }
        ~Ticket() {
            if (quota_) quota_->used_.fetch_sub(1, std::memory_order_relaxed);
        }
        explicit operator bool() const { return quota_ != nullptr; }

    private:
        friend class Quota;
        explicit Ticket(std::shared_ptr<Quota> quota) : quota_(std::move(quota)) {}
        std::shared_ptr<Quota> quota_;
    };

    /// @return an empty ticket when the limit is reached.
    [[nodiscard]] static Ticket try_take(const std::shared_ptr<Quota>& quota) {
        if (quota->used_.fetch_add(1, std::memory_order_relaxed) < quota->limit_)
            return Ticket(quota);
        quota->used_.fetch_sub(1, std::memory_order_relaxed);
        return Ticket();
    }

    [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t limit() const { return limit_; }

private:
    std::size_t limit_;
    std::atomic<std::size_t> used_{0};
};

}  // namespace hpb::agent
