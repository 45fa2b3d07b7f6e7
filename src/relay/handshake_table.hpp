#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <random>
#include <string>
#include <unordered_map>

#include "net/signal.hpp"
#include "net/stream.hpp"

namespace hpb::relay {

/// The connections of one thread that have not sent a complete request yet, by source. When there
/// are too many, the source with the most loses its oldest; among several such sources, a random
/// one. So a flood of incomplete handshakes only hurts itself, even if an honest handshake takes a
/// second. Half of the places are reserved for those that have finished TLS. Behind a proxy each
/// connection counts as its own source, because its client is not known yet.
class HandshakeTable {
public:
    explicit HandshakeTable(std::size_t limit);
    HandshakeTable(const HandshakeTable&) = delete;
    HandshakeTable& operator=(const HandshakeTable&) = delete;

    /// Callable from any thread.
    [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }

    enum class Peer { client, proxy };

    /// A place in the table, while it lives. The stream must not move meanwhile.
    class Entry {
    public:
        /// @param source  net::source_key() of the peer.
        Entry(HandshakeTable& table, net::Stream& stream, const std::string& source,
              Peer peer = Peer::client);
        ~Entry();
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

        /// TLS is done: from here on it no longer competes with those that have not finished TLS.
        void on_secured();
        [[nodiscard]] bool evicted() const { return !listed_; }
        /// Notified when it is evicted; may also be notified by others on which its owner waits.
        [[nodiscard]] net::Signal& changed() { return changed_; }
        [[nodiscard]] const std::string& source() const { return source_; }

    private:
        friend class HandshakeTable;
        HandshakeTable& table_;
        net::Stream& stream_;
        const std::string source_;
        const std::string holder_;  ///< who has the place: the source, or this connection alone
        net::Signal changed_;
        bool secured_ = false;
        bool listed_ = true;
        std::list<Entry*>::iterator place_;
    };

private:
    /// The connections in one stage, the oldest of each source first.
    struct Stage {
        std::unordered_map<std::string, std::list<Entry*>> sources;
        std::size_t size = 0;
    };

    [[nodiscard]] Stage& stage_of(const Entry& entry) { return entry.secured_ ? secured_ : new_; }
    void add(Entry& entry);
    void remove(Entry& entry);
    void make_room();
    void evict_one(const Stage& stage);

    const std::size_t limit_;
    Stage new_;
    Stage secured_;
    std::atomic<std::size_t> size_{0};
    std::uint64_t next_of_proxy_ = 0;
    std::size_t most_ = 0;  ///< since it was empty after a flood
    std::minstd_rand random_;
};

}  // namespace hpb::relay
