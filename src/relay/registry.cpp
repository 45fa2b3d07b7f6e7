#include "relay/registry.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "crypto/crypto.hpp"
#include "relay/control_channel.hpp"
#include "relay/pending_sender.hpp"
#include "relay/refusal.hpp"

namespace hpb::relay {
namespace {

/// Makes the rendezvous URL, which carries no token, unguessable.
constexpr std::size_t kKeyBytes = 16;

bool names(const std::vector<std::string>& ids, std::string_view id) {
    return std::any_of(ids.begin(), ids.end(),
                       [&](const std::string& one) { return iequals(one, id); });
}

}  // namespace

Registry::Registry(const config::RelayOptions& options)
    : options_(options),
      pending_share_(net::Share::root(options.max_pending_senders)),
      random_(std::random_device{}()) {
    for (const auto& connection : options.hybrid_connections) {
        auto entity = std::make_shared<Entity>();
        entity->options = connection;
        entity->created_at = unix_now();
        entities_.emplace(to_lower(connection.path), std::move(entity));
    }
}

Registry::~Registry() {
    for (const auto& [path, entity] : entities_) entity->listeners.clear();
}

std::optional<EntityMatch> Registry::find(std::string_view path) const {
    const std::string lower = to_lower(path);
    for (std::size_t size = lower.size();; size = lower.rfind('/', size - 1)) {
        if (size == std::string::npos) return std::nullopt;
        const auto found = entities_.find(lower.substr(0, size));
        if (found != entities_.end()) {
            return EntityMatch{found->second,
                               std::string(path.substr(std::min(size + 1, path.size())))};
        }
        if (size == 0) return std::nullopt;
    }
}

bool Registry::add_listener(Entity& entity, std::shared_ptr<ControlChannel> listener) {
    std::shared_ptr<ControlChannel> old;
    Listeners namesakes;
    Senders left_alone;
    bool added = true;
    {
        const std::lock_guard lock(mutex_);
        auto& listeners = entity.listeners;
        std::copy_if(listeners.begin(), listeners.end(), std::back_inserter(namesakes),
                     [&](const auto& one) { return iequals(one->id(), listener->id()); });
        const auto same = std::find_if(namesakes.begin(), namesakes.end(), [&](const auto& one) {
            return one->is_succeeded_by(*listener);
        });
        if (same != namesakes.end()) {
            old = std::move(*same);
            namesakes.erase(same);
            *std::find(listeners.begin(), listeners.end(), old) = std::move(listener);
            left_alone = take_pending_of(*old);
        } else if (listeners.size() >= options_.max_listeners) {
            added = false;
        } else {
            listeners.push_back(std::move(listener));
        }
    }
    if (old) old->replace();
    for (const auto& namesake : namesakes) namesake->doubt();
    for (const auto& sender : left_alone) PendingSender::listener_lost(sender);
    return added;
}

Registry::Senders Registry::take_pending_of(const ControlChannel& listener) {
    Senders taken;
    for (auto it = pending_.begin(); it != pending_.end();) {
        if (it->second.listener == &listener) {
            taken.push_back(std::move(it->second.sender));
            it = pending_.erase(it);
        } else {
            ++it;
        }
    }
    return taken;
}

void Registry::remove_listener(Entity& entity, const ControlChannel& listener) {
    Senders left_alone;
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(entity.listeners, [&](const auto& one) { return one.get() == &listener; });
        left_alone = take_pending_of(listener);
    }
    for (const auto& sender : left_alone) PendingSender::listener_lost(sender);
}

int Registry::listener_count(const Entity& entity) const {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(entity.listeners.size());
}

std::vector<std::shared_ptr<ControlChannel>> Registry::all_listeners() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<ControlChannel>> all;
    for (const auto& [path, entity] : entities_) {
        all.insert(all.end(), entity->listeners.begin(), entity->listeners.end());
    }
    return all;
}

Checked<std::shared_ptr<ControlChannel>> Registry::pick_listener(const Entity& entity,
                                                                 const Affinity& affinity,
                                                                 const Listeners& passed_over) {
    const std::lock_guard lock(mutex_);
    Listeners candidates;
    bool tried = false;
    for (const auto& listener : entity.listeners) {
        if (!affinity.allowed.empty() && !names(affinity.allowed, listener->id())) continue;
        if (names(affinity.disallowed, listener->id())) continue;
        if (std::find(passed_over.begin(), passed_over.end(), listener) != passed_over.end()) {
            tried = true;
            continue;
        }
        candidates.push_back(listener);
    }
    const auto doubted = std::partition(candidates.begin(), candidates.end(),
                                        [](const auto& one) { return !one->doubted(); });
    if (doubted != candidates.begin()) candidates.erase(doubted, candidates.end());
    if (!candidates.empty()) {
        std::uniform_int_distribution<std::size_t> any(0, candidates.size() - 1);
        return candidates[any(random_)];
    }
    if (tried) return Refusal{503, "The connected listeners do not take their announcements"};
    if (entity.listeners.empty()) {
        return Refusal{404, "There are no listeners connected for the endpoint"};
    }
    return Refusal{
        404,
        "None of the connected listeners meet the AllowedListeners/DisallowedListeners criteria"};
}

std::optional<std::string> Registry::add_pending(std::shared_ptr<PendingSender> sender,
                                                 const ControlChannel& listener,
                                                 const Entity& entity, const std::string& source) {
    auto ticket = pending_share_->child(entity.options.path, net::Share::kEntityFactor)
                      ->child(source, net::Share::kSourceFactor)
                      ->try_take();
    if (!ticket) return std::nullopt;
    std::string key = crypto::random_hex(kKeyBytes);
    const std::lock_guard lock(mutex_);
    pending_.emplace(key, Pending{std::move(sender), &listener, std::move(ticket)});
    return key;
}

std::size_t Registry::pending_count() const {
    const std::lock_guard lock(mutex_);
    return pending_.size();
}

std::shared_ptr<PendingSender> Registry::take_pending(std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(key);
    if (found == pending_.end()) return nullptr;
    auto sender = std::move(found->second.sender);
    pending_.erase(found);
    return sender;
}

}  // namespace hpb::relay
