#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "net/coro.hpp"

namespace hpb::agent {

class Channel;

/// The channels of an agent, on whatever thread they live, so that all can be ended together.
/// A lock, because it is only taken when a channel begins or ends.
class ChannelRegistry {
public:
    /// @return false once shut_down() was called: the channel must not begin.
    [[nodiscard]] bool add(const std::shared_ptr<Channel>& channel);
    void remove(const Channel* channel);

    /// Asks every channel to close (on its thread).
    /// @param on_empty  called once, on any thread, when the last one is gone.
    void shut_down(std::function<void()> on_empty);

    [[nodiscard]] std::size_t size() const;

private:
    mutable std::mutex mutex_;
    std::unordered_map<const Channel*, std::weak_ptr<Channel>> channels_;
    bool stopping_ = false;
    std::function<void()> on_empty_;
};

/// Ends all channels and waits until they are gone or the limit is over.
[[nodiscard]] net::awaitable<void> shut_down_channels(std::shared_ptr<ChannelRegistry> registry,
                                                      std::chrono::milliseconds limit);

}  // namespace hpb::agent
