#pragma once

#include <map>
#include <memory>
#include <unordered_map>

#include "agent/tunnel_v1/connection.hpp"

namespace hpb::agent::tunnel_v1 {

/// The connections of a channel by how long they have been idle. Traffic costs nothing here: a
/// connection keeps its place until it comes to the front, and is then moved to where it belongs.
/// So asking for the oldest costs a few steps for each connection with traffic since.
class IdleOrder {
public:
    using TimePoint = net::Clock::time_point;

    void insert(const std::shared_ptr<Connection>& connection) {
        places_[connection.get()] = order_.emplace(connection->last_activity(), connection);
    }
    void erase(const Connection* connection) {
        const auto found = places_.find(connection);
        if (found == places_.end()) return;
        order_.erase(found->second);
        places_.erase(found);
    }
    void clear() {
        order_.clear();
        places_.clear();
    }
    [[nodiscard]] bool empty() const { return order_.empty(); }

    /// The connection that has been idle for longest; nullptr if there is none.
    [[nodiscard]] std::shared_ptr<Connection> oldest() {
        while (!order_.empty()) {
            const auto first = order_.begin();
            const auto connection = first->second;
            if (connection->last_activity() <= first->first) return connection;
            order_.erase(first);
            insert(connection);
        }
        return nullptr;
    }

private:
    using Order = std::multimap<TimePoint, std::shared_ptr<Connection>>;
    Order order_;
    std::unordered_map<const Connection*, Order::iterator> places_;
};

}  // namespace hpb::agent::tunnel_v1
