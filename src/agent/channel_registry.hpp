#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "agent/session_metrics.hpp"
#include "net/coro.hpp"

namespace hpb::agent {

/// Something that must be closed cleanly before the agent may stop: a v1 channel, a v2 session.
class Stoppable {
public:
    Stoppable() = default;
    virtual ~Stoppable() = default;
    Stoppable(const Stoppable&) = delete;
    Stoppable& operator=(const Stoppable&) = delete;

    /// The thread it lives on.
    [[nodiscard]] virtual net::asio::any_io_executor executor() const = 0;
    /// Closes it cleanly, bounded in time. On its thread.
    virtual void shut_down() = 0;
    /// Adds its counters to the total. On its thread.
    virtual void add_to(SessionCounts& sum) const { static_cast<void>(sum); }
};

/// The channels and sessions of an agent, on whatever thread they live, so that all can be ended
/// together. A mutex suffices: it is taken only when one begins or ends.
class ChannelRegistry {
public:
    /// @return false once shut_down() was called: do not start it.
    [[nodiscard]] bool add(const std::shared_ptr<Stoppable>& channel);
    void remove(const Stoppable* channel);

    /// Asks everything to end, each on its own thread.
    /// @param on_empty  called once, on any thread, when the last one is gone.
    void shut_down(std::function<void()> on_empty);

    /// Adds the counters of everything that exists now, each on its thread, to `past`.
    /// @param on_done  called once, on any thread; not at all if a thread has stopped.
    void collect(const SessionCounts& past, std::function<void(const SessionCounts&)> on_done);

    [[nodiscard]] std::size_t size() const;

private:
    [[nodiscard]] std::vector<std::shared_ptr<Stoppable>> live() const;

    mutable std::mutex mutex_;
    std::unordered_map<const Stoppable*, std::weak_ptr<Stoppable>> channels_;
    bool stopping_ = false;
    std::function<void()> on_empty_;
};

/// Ends everything and waits until it is gone or the time limit is reached.
[[nodiscard]] net::awaitable<void> shut_down_channels(std::shared_ptr<ChannelRegistry> registry,
                                                      std::chrono::milliseconds limit);

}  // namespace hpb::agent
