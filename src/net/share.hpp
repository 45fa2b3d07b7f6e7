#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace hpb::net {

/// Divides a limited number of places (connections, sessions, waiting senders) fairly among
/// holders, in a tree: the root is the limit; its children, and theirs, are holders, such as agent
/// / hybrid connection / source address / channel.
///
/// No holder may have more than `factor` times what is still free in all. A single holder with
/// factor 8 gets eight ninths of everything, and the remaining ninth is available to the next one;
/// as more holders arrive, the limit of each shrinks ("dynamic thresholds", as in switches that
/// share a packet buffer). Holders keep what they have: a share only decides who may take more.
///
/// Thread-safe. Taking costs a few atomic operations for each level; only naming a child locks.
class Share : public std::enable_shared_from_this<Share> {
    struct Private {};

public:
    /// The factor by kind of holder.
    static constexpr std::size_t kEntityFactor = 8;
    static constexpr std::size_t kSourceFactor = 4;
    static constexpr std::size_t kChannelFactor = 2;

    /// One place; released when destroyed, on any thread.
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

    /// The root. Its own try_take() is bounded by the limit alone.
    [[nodiscard]] static std::shared_ptr<Share> root(std::size_t limit);

    /// An anonymous holder, such as a channel.
    [[nodiscard]] std::shared_ptr<Share> child(std::size_t factor);
    /// The holder of this name within this one: the same object for all callers while any of them,
    /// or any of its tickets, lives.
    [[nodiscard]] std::shared_ptr<Share> child(const std::string& name, std::size_t factor);

    /// @return an empty ticket if the limit, or the share of this holder or of one of its
    /// ancestors, is reached.
    [[nodiscard]] Ticket try_take();

    [[nodiscard]] std::size_t held() const { return held_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t limit() const { return root_->limit_; }
    /// What is in use in all; a snapshot.
    [[nodiscard]] std::size_t free() const;
    /// The current limit of this holder.
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
