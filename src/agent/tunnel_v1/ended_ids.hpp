#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <unordered_map>

#include "v1/frame.hpp"

namespace hpb::agent::tunnel_v1 {

/// The ended connections of a channel, and how to treat data that still arrives for them. Bounded:
/// the oldest are forgotten; by then no frame of theirs is still in flight.
class EndedIds {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    struct End {
        /// The target closed it cleanly after it had received and answered everything: later data
        /// may begin a new conversation.
        bool idle = false;
        TimePoint at;
    };

    explicit EndedIds(std::size_t limit) : limit_(limit) {}

    /// @return false: the oldest one was forgotten for it.
    bool insert(const v1::ConnectionId& id, const End& end) {
        if (!ends_.insert_or_assign(id, end).second) return true;
        order_.push_back(id);
        if (order_.size() <= limit_) return true;
        ends_.erase(order_.front());
        order_.pop_front();
        return false;
    }

    [[nodiscard]] std::optional<End> find(const v1::ConnectionId& id) const {
        const auto found = ends_.find(id);
        return found == ends_.end() ? std::nullopt : std::optional(found->second);
    }
    [[nodiscard]] std::size_t size() const { return ends_.size(); }

private:
    std::size_t limit_;
    std::unordered_map<v1::ConnectionId, End> ends_;
    std::deque<v1::ConnectionId> order_;
};

}  // namespace hpb::agent::tunnel_v1
