#pragma once

#include <cstddef>
#include <deque>
#include <unordered_set>

#include "v1/frame.hpp"

namespace hpb::agent {

/// The connections of a channel that are over, so that their late frames are known as late.
/// Bounded: the oldest are forgotten. By then no frame of theirs is still on its way.
class ClosedIds {
public:
    explicit ClosedIds(std::size_t limit) : limit_(limit) {}

    void insert(const v1::ConnectionId& id) {
        if (!ids_.insert(id).second) return;
        order_.push_back(id);
        if (order_.size() <= limit_) return;
        ids_.erase(order_.front());
        order_.pop_front();
    }

    [[nodiscard]] bool contains(const v1::ConnectionId& id) const { return ids_.contains(id); }
    [[nodiscard]] std::size_t size() const { return ids_.size(); }

private:
    std::size_t limit_;
    std::unordered_set<v1::ConnectionId> ids_;
    std::deque<v1::ConnectionId> order_;
};

}  // namespace hpb::agent
