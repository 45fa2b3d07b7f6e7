#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace hpb::net {

/// A limited number of things (connections, sessions, waiting senders) shared out fairly among
/// holders: the root is the limit, its children are holders, their children hold within them, such
/// as agent / hybrid connection / source address / channel.
///
/// No holder may have more than `factor` times what is still free in all. A lone holder with factor
/// 8 gets eight ninths of everything, and the ninth that stays free is what the next one begins
/// with; as more holders want their part, all of them have to give way ("dynamic thresholds", as
/// switches share a packet buffer). Holders keep what they have: a share says who may take more.
///
/// Thread-safe. Taking costs a few atomic operations for each level; only naming a child locks.
class Share : public std::enable_shared_from_this<Share> {
    struct Private {};

public:
    /// How many of what is free a holder may have, by the kind of holder.
    static constexpr std::size_t kEntityFactor = 8;
    static constexpr std::size_t kSourceFactor = 4;
    static constexpr std::size_t kChannelFactor = 2;

    /// One of the things; gives it back when destroyed, on any thread.
    class Ticket {
    public:
        Ticket() = default;
        Ticket(Ticket&& other) noexcept = default;
        Ticket& operator=(Ticket&& other) noexcept {
            std::swap(holder_, other.holder_);
            return *this;
        }
        ~Ticket() {
            if (holder_) holder_->give_back();
        }
        explicit operator bool() const { return holder_ != nullptr; }

    private:
        friend class Share;
        explicit Ticket(std::shared_ptr<Share> holder) : holder_(std::move(holder)) {}
        std::shared_ptr<Share> holder_;
    };

    /// Everything there is. Its own try_take() is bounded by the limit alone.
    [[nodiscard]] static std::shared_ptr<Share> root(std::size_t limit);

    /// A holder of its own, such as a channel.
    [[nodiscard]] std::shared_ptr<Share> child(std::size_t factor);
    /// The holder of that name within this one, the same for all who ask while any of them, or any
    /// ticket of theirs, lives.
    [[nodiscard]] std::shared_ptr<Share> child(const std::string& name, std::size_t factor);

    /// @return an empty ticket where the limit, or the share of this holder or of one it is within,
    ///         is reached.
    [[nodiscard]] Ticket try_take();

    [[nodiscard]] std::size_t held() const { return held_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t limit() const { return root_->limit_; }
    /// Of the whole, at this moment.
    [[nodiscard]] std::size_t free() const;
    /// What this holder may have in all, as things stand.
    [[nodiscard]] std::size_t allowed() const { return factor_ == 0 ? limit_ : factor_ * free(); }

    Share(Private, std::shared_ptr<Share> parent, std::size_t factor, std::size_t limit,
          std::string name);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

private:
    void give_back();
    void forget(const std::string& name);

    const std::shared_ptr<Share> parent_;  ///< none: the root
    Share* const root_;
    const std::size_t factor_;
    const std::size_t limit_;
    const std::string name_;
    std::atomic<std::size_t> held_{0};
    std::mutex mutex_;
    std::unordered_map<std::string, std::weak_ptr<Share>> named_;
};

}  // namespace hpb::net
