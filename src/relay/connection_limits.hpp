#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <utility>

#include "net/stream.hpp"

namespace hpb::relay {

/// One of the max_connections; given back when destroyed, on any thread.
class ConnectionTicket {
public:
    ConnectionTicket() = default;
    explicit ConnectionTicket(std::atomic<std::size_t>& count) : count_(&count) { ++count; }
    ConnectionTicket(ConnectionTicket&& other) noexcept
        : count_(std::exchange(other.count_, nullptr)) {}
    ConnectionTicket& operator=(ConnectionTicket&& other) noexcept {
        std::swap(count_, other.count_);
        return *this;
    }
    ~ConnectionTicket() {
        if (count_ != nullptr) --*count_;
    }

private:
    std::atomic<std::size_t>* count_ = nullptr;
};

/// The connections of one thread that have not sent a whole request yet. When there are too many,
/// the oldest goes: a flood of half-open handshakes costs the flood, while an honest one takes
/// milliseconds.
class HandshakeTable {
public:
    explicit HandshakeTable(std::size_t limit) : limit_(limit) {}

    /// Callable from any thread.
    [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }

    /// A place in the table, as long as it lives. The stream must not move meanwhile.
    class Entry {
    public:
        Entry(HandshakeTable& table, net::Stream& stream) : table_(table), stream_(stream) {
            auto& entries = table_.entries_;
            if (entries.size() >= table_.limit_) {
                entries.front()->listed_ = false;
                entries.front()->stream_.interrupt();
                entries.pop_front();
            }
            place_ = entries.insert(entries.end(), this);
            table_.size_ = entries.size();
        }
        ~Entry() {
            if (listed_) table_.entries_.erase(place_);
            table_.size_ = table_.entries_.size();
        }
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

        [[nodiscard]] bool evicted() const { return !listed_; }

    private:
        HandshakeTable& table_;
        net::Stream& stream_;
        bool listed_ = true;
        std::list<Entry*>::iterator place_;
    };

private:
    std::size_t limit_;
    std::list<Entry*> entries_;
    std::atomic<std::size_t> size_{0};
};

}  // namespace hpb::relay
