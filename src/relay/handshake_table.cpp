#include "relay/handshake_table.hpp"

#include <malloc.h>

#include <algorithm>

namespace hpb::relay {
namespace {

/// Handshakes at once after which the allocator is told to give back what they have used.
constexpr std::size_t kFlood = 200;

}  // namespace

HandshakeTable::HandshakeTable(std::size_t limit)
    : limit_(limit), random_(std::random_device{}()) {}

HandshakeTable::Entry::Entry(HandshakeTable& table, net::Stream& stream, const std::string& source,
                             Peer peer)
    : table_(table),
      stream_(stream),
      source_(source),
      holder_(peer == Peer::client ? source
                                   : source + "#" + std::to_string(table.next_of_proxy_++)),
      changed_(stream.executor()) {
    table_.make_room();
    table_.add(*this);
}

HandshakeTable::Entry::~Entry() {
    if (listed_) table_.remove(*this);
}

void HandshakeTable::Entry::on_secured() {
    if (!listed_) return;
    table_.remove(*this);
    secured_ = true;
    if (table_.secured_.size >= (table_.limit_ + 1) / 2) table_.evict_one(table_.secured_);
    table_.add(*this);
}

void HandshakeTable::add(Entry& entry) {
    Stage& stage = stage_of(entry);
    auto& entries = stage.sources[entry.holder_];
    entry.place_ = entries.insert(entries.end(), &entry);
    ++stage.size;
    size_ = new_.size + secured_.size;
    most_ = std::max(most_, size());
}

void HandshakeTable::remove(Entry& entry) {
    Stage& stage = stage_of(entry);
    const auto source = stage.sources.find(entry.holder_);
    source->second.erase(entry.place_);
    if (source->second.empty()) stage.sources.erase(source);
    --stage.size;
    size_ = new_.size + secured_.size;
    if (size() > 0 || most_ < kFlood) return;
    most_ = 0;
    (void)::malloc_trim(0);
}

void HandshakeTable::make_room() {
    if (size() < limit_) return;
    evict_one(new_.size > 0 ? new_ : secured_);
}

// Where nobody has more than others, chance decides: the oldest would be the slowest of the honest
// ones.
void HandshakeTable::evict_one(const Stage& stage) {
    Entry* victim = nullptr;
    std::size_t most = 0;
    std::size_t as_many = 0;
    for (const auto& [source, entries] : stage.sources) {
        if (entries.size() < most) continue;
        as_many = entries.size() == most ? as_many + 1 : 1;
        most = entries.size();
        if (random_() % as_many == 0) victim = entries.front();
    }
    if (victim == nullptr) return;
    remove(*victim);
    victim->listed_ = false;
    victim->stream_.interrupt();
    victim->changed_.notify_all();
}

}  // namespace hpb::relay
