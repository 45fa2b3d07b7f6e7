#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "config/relay_options.hpp"
#include "http/message.hpp"
#include "net/share.hpp"
#include "net/stream.hpp"
#include "relay/access.hpp"

namespace hpb::relay {

class ControlChannel;
class PendingSender;

/// A hybrid connection. Everything but the listeners is constant.
struct Entity {
    config::HybridConnectionOptions options;
    std::int64_t created_at = 0;
    std::vector<std::shared_ptr<ControlChannel>> listeners;  // guarded by the Registry's mutex
    std::atomic<bool> http_reported{false};  ///< that a request for HTTP was refused
};

/// The entity that a request names, and the rest of its path.
struct EntityMatch {
    std::shared_ptr<Entity> entity;
    std::string suffix;  ///< without '/' in front
};

/// A sender's choice of listeners (docs/protocol.md, "Listener affinity"): comma-separated ids.
struct Affinity {
    std::vector<std::string> allowed;  ///< empty: all
    std::vector<std::string> disallowed;
};

/// What the relay's threads share: hybrid connections, their listeners, senders that wait for one.
/// Control plane only: nothing here is touched per byte. All functions are safe from any thread.
class Registry {
public:
    explicit Registry(const config::RelayOptions& options);
    /// Listeners know their entity, which knows its listeners.
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    /// The entity with the longest path that is `path` or a parent of it, ignoring case; nullopt:
    /// none.
    [[nodiscard]] std::optional<EntityMatch> find(std::string_view path) const;

    /// A listener of the same id and instance (ControlChannel::is_succeeded_by) is replaced:
    /// removed and ended, and the senders that wait for it are told. Others with this id (ignoring
    /// case) stay if they are alive: ControlChannel::doubt().
    /// @return false if the entity has max_listeners already.
    [[nodiscard]] bool add_listener(Entity& entity, std::shared_ptr<ControlChannel> listener);
    /// Also tells the senders that wait for this listener.
    void remove_listener(Entity& entity, const ControlChannel& listener);
    [[nodiscard]] int listener_count(const Entity& entity) const;
    /// Every control channel, for an orderly stop.
    [[nodiscard]] std::vector<std::shared_ptr<ControlChannel>> all_listeners() const;

    using Listeners = std::vector<std::shared_ptr<ControlChannel>>;
    /// A random one of the entity's listeners that the sender accepts; a 404 that explains why if
    /// there is none.
    /// @param passed_over  those already tried for this sender; 503 if no other is left.
    [[nodiscard]] Checked<std::shared_ptr<ControlChannel>> pick_listener(
        const Entity& entity, const Affinity& affinity, const Listeners& passed_over);

    /// Registers `sender` under a new one-time key. @param source  of the sender.
    /// @return nullopt at max_pending_senders, or beyond the entity's or the source's share of it.
    [[nodiscard]] std::optional<std::string> add_pending(std::shared_ptr<PendingSender> sender,
                                                         const ControlChannel& listener,
                                                         const Entity& entity,
                                                         const std::string& source);
    [[nodiscard]] std::size_t pending_count() const;
    /// The sender with this key, which is used up; nullptr if there is none, or no longer.
    [[nodiscard]] std::shared_ptr<PendingSender> take_pending(std::string_view key);

private:
    using Senders = std::vector<std::shared_ptr<PendingSender>>;
    [[nodiscard]] Senders take_pending_of(const ControlChannel& listener);  // under the mutex

    struct Pending {
        std::shared_ptr<PendingSender> sender;
        const ControlChannel* listener;  // identity only
        net::Share::Ticket ticket;
    };

    const config::RelayOptions& options_;
    std::map<std::string, std::shared_ptr<Entity>> entities_;  // by lower-case path; constant
    const std::shared_ptr<net::Share> pending_share_;
    mutable std::mutex mutex_;
    std::map<std::string, Pending, std::less<>> pending_;
    std::minstd_rand random_;
};

}  // namespace hpb::relay
