#include "session/scheduler.hpp"

namespace hpb::session {
namespace {

constexpr std::int64_t kFrameCost = 32;

}  // namespace

void Scheduler::activate(Stream& stream) {
    if (stream.data_hook.is_linked()) return;
    stream.fresh = true;
    stream.deficit = quantum_;
    fresh_.push_back(stream);
}

void Scheduler::remove(Stream& stream) {
    if (stream.data_hook.is_linked()) stream.data_hook.unlink();
}

Stream* Scheduler::next() {
    for (;;) {
        List& list = fresh_.empty() ? bulk_ : fresh_;
        if (list.empty()) return nullptr;
        Stream& stream = list.front();
        if (stream.deficit <= 0) {
            stream.deficit += quantum_;
            stream.fresh = false;
            list.pop_front();
            bulk_.push_back(stream);
            continue;
        }
        if (stream.has_data()) return &stream;
        list.pop_front();
        // Out of the fresh list it goes through the bulk one first: a stream that sends little and
        // often must not be fresh each time.
        if (stream.fresh) {
            stream.fresh = false;
            bulk_.push_back(stream);
        }
    }
}

bool Scheduler::contended() const {
    const auto first = fresh_.begin();
    const auto other = bulk_.begin();
    const bool any_fresh = first != fresh_.end();
    const bool any_bulk = other != bulk_.end();
    if (any_fresh && any_bulk) return true;
    if (any_fresh) return std::next(first) != fresh_.end();
    return any_bulk && std::next(other) != bulk_.end();
}

void Scheduler::charge(Stream& stream, std::size_t size) {
    // Headers count: a stream of one-byte frames must not get more than its share of the wire.
    stream.deficit -= static_cast<std::int64_t>(size) + kFrameCost;
}

Stream* Scheduler::heavy(std::uint64_t above) {
    for (List* list : {&fresh_, &bulk_}) {
        for (Stream& stream : *list) {
            if (stream.has_data() && stream.confirmed && stream.send.unsent() > above) {
                return &stream;
            }
        }
    }
    return nullptr;
}

}  // namespace hpb::session
