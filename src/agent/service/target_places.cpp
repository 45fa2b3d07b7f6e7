#include "agent/service/target_places.hpp"

#include <algorithm>

namespace hpb::agent::service {

void SenderPlaces::add(const std::weak_ptr<PlaceHolder>& holder, const PlaceHolder* key,
                       net::Clock::time_point since) {
    const std::scoped_lock lock(mutex_);
    auto& known = holders_[key];
    order_.erase({known.since, key});
    known = {holder, since};
    order_.emplace(since, key);
}

void SenderPlaces::remove(const PlaceHolder* key) {
    const std::scoped_lock lock(mutex_);
    const auto found = holders_.find(key);
    if (found == holders_.end()) return;
    order_.erase({found->second.since, key});
    holders_.erase(found);
}

// Takes those out that have gone without a word.
std::shared_ptr<PlaceHolder> SenderPlaces::first(net::Clock::time_point& next_since) {
    const std::scoped_lock lock(mutex_);
    while (!order_.empty()) {
        const auto found = holders_.find(order_.begin()->second);
        auto holder = found->second.it.lock();
        if (holder) {
            const auto next = std::next(order_.begin());
            next_since = next == order_.end() ? net::Clock::time_point::max() : next->first;
            return holder;
        }
        order_.erase(order_.begin());
        holders_.erase(found);
    }
    return nullptr;
}

void SenderPlaces::make_room(std::function<void(bool)> on_done) {
    net::Clock::time_point next_since;
    auto holder = first(next_since);
    if (!holder) return on_done(false);
    ask(std::move(holder), next_since, std::move(on_done));
}

// The holder goes with the message: should this be the last who holds it, it ends on its thread.
void SenderPlaces::ask(std::shared_ptr<PlaceHolder> holder, net::Clock::time_point next_since,
                       std::function<void(bool)> on_done) {
    const auto executor = holder->holder_executor();
    net::asio::post(executor, [self = shared_from_this(), holder = std::move(holder), next_since,
                               on_done = std::move(on_done)]() mutable {
        const auto since = holder->idle_since();
        if (since == net::Clock::time_point::max()) {
            self->remove(holder.get());
        } else if (since <= next_since) {
            holder->give_up_longest_idle();
            return on_done(true);
        } else {
            // It has had traffic since it was last asked: another one's turn.
            self->add(holder, holder.get(), since);
        }
        self->make_room(std::move(on_done));
    });
}

net::Clock::duration SenderPlaces::open_delay(net::Clock::time_point now) {
    const std::scoped_lock lock(mutex_);
    return opens_.take(now);
}

bool SenderPlaces::has_holders() {
    const std::scoped_lock lock(mutex_);
    return !holders_.empty();
}

std::shared_ptr<SenderPlaces> TargetPlaces::fullest() {
    std::shared_ptr<SenderPlaces> fullest;
    const std::scoped_lock lock(mutex_);
    for (const auto& [_, weak] : senders_) {
        auto sender = weak.lock();
        if (!sender || !sender->has_holders()) continue;
        if (!fullest || sender->share()->held() > fullest->share()->held())
            fullest = std::move(sender);
    }
    return fullest;
}

std::shared_ptr<SenderPlaces> TargetPlaces::sender(const std::string& source) {
    const std::scoped_lock lock(mutex_);
    auto& known = senders_[source];
    if (auto there = known.lock()) return there;
    auto made = std::make_shared<SenderPlaces>(share_->child(source, net::Share::kSourceFactor));
    known = made;
    if (senders_.size() >= sweep_at_) {
        std::erase_if(senders_, [](const auto& each) { return each.second.expired(); });
        sweep_at_ = std::max<std::size_t>(64, 2 * senders_.size());
    }
    return made;
}

}  // namespace hpb::agent::service
