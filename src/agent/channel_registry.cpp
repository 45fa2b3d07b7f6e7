#include "agent/channel_registry.hpp"

#include <utility>
#include <vector>

#include "net/signal.hpp"

namespace hpb::agent {

bool ChannelRegistry::add(const std::shared_ptr<Stoppable>& channel) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    channels_.emplace(channel.get(), channel);
    return true;
}

void ChannelRegistry::remove(const Stoppable* channel) {
    std::function<void()> on_empty;
    {
        const std::lock_guard lock(mutex_);
        channels_.erase(channel);
        if (channels_.empty()) on_empty = std::exchange(on_empty_, nullptr);
    }
    if (on_empty) on_empty();
}

void ChannelRegistry::shut_down(std::function<void()> on_empty) {
    std::vector<std::shared_ptr<Stoppable>> live;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        for (const auto& [_, weak] : channels_) {
            if (auto channel = weak.lock()) live.push_back(std::move(channel));
        }
        if (!channels_.empty()) on_empty_ = std::exchange(on_empty, nullptr);
    }
    for (auto& channel : live) {
        const auto executor = channel->executor();
        net::asio::post(executor, [channel = std::move(channel)] { channel->shut_down(); });
    }
    if (on_empty) on_empty();
}

std::vector<std::shared_ptr<Stoppable>> ChannelRegistry::live() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Stoppable>> all;
    for (const auto& [_, weak] : channels_) {
        if (auto channel = weak.lock()) all.push_back(std::move(channel));
    }
    return all;
}

void ChannelRegistry::collect(const SessionCounts& past,
                              std::function<void(const SessionCounts&)> on_done) {
    struct Sum {
        std::mutex mutex;
        SessionCounts counts;
        std::size_t missing = 1;
        std::function<void(const SessionCounts&)> on_done;
        void done() {
            const std::lock_guard lock(mutex);
            if (--missing == 0) on_done(counts);
        }
    };
    const auto sum = std::make_shared<Sum>();
    sum->counts = past;
    sum->on_done = std::move(on_done);
    const auto all = live();
    sum->missing += all.size();
    for (const auto& each : all) {
        net::asio::post(each->executor(), [sum, each] {
            {
                const std::lock_guard lock(sum->mutex);
                each->add_to(sum->counts);
            }
            sum->done();
        });
    }
    sum->done();
}

std::size_t ChannelRegistry::size() const {
    const std::lock_guard lock(mutex_);
    return channels_.size();
}

net::awaitable<void> shut_down_channels(std::shared_ptr<ChannelRegistry> registry,
                                        std::chrono::milliseconds limit) {
    struct Drain {
        explicit Drain(const net::asio::any_io_executor& executor) : signal(executor) {}
        net::Signal signal;
        bool done = false;
    };
    const auto executor = co_await net::asio::this_coro::executor;
    const auto drain = std::make_shared<Drain>(executor);
    registry->shut_down([executor, weak = std::weak_ptr<Drain>(drain)] {
        net::asio::post(executor, [weak] {
            const auto drained = weak.lock();
            if (!drained) return;
            drained->done = true;
            drained->signal.notify_all();
        });
    });
    const auto deadline = net::Clock::now() + limit;
    while (!drain->done && net::Clock::now() < deadline)
        (void)co_await drain->signal.wait_until(deadline);
}

}  // namespace hpb::agent
