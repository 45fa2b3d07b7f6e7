#include "session/outbox.hpp"

#include <algorithm>

namespace hpb::session {

Outbox::Outbox() : pieces_(std::make_unique<Piece[]>(kPieces)) {
    spans_.reserve(kPieces);
}

void Outbox::append(ByteSpan header) {
    bytes_ += header.size();
    while (!header.empty()) {
        Piece* last = count_ > 0 ? &piece(count_ - 1) : nullptr;
        if (last == nullptr || last->held.slab || last->held.bytes.size() == kInline) {
            last = &piece(count_++);
            last->held = {{}, ByteSpan{last->own.data(), 0}};
        }
        const std::size_t have = last->held.bytes.size();
        const std::size_t n = std::min(header.size(), kInline - have);
        std::copy_n(header.begin(), n, last->own.begin() + static_cast<std::ptrdiff_t>(have));
        last->held.bytes = {last->own.data(), have + n};
        header = header.subspan(n);
    }
}

void Outbox::append(HeldBytes payload) {
    bytes_ += payload.bytes.size();
    piece(count_++).held = std::move(payload);
}

std::span<const ByteSpan> Outbox::spans() {
    spans_.clear();
    for (std::size_t i = 0; i < count_; ++i) {
        const ByteSpan bytes = piece(i).held.bytes;
        spans_.push_back(i == 0 ? bytes.subspan(used_of_first_) : bytes);
    }
    return spans_;
}

void Outbox::sent(std::size_t size) {
    bytes_ -= size;
    while (count_ > 0) {
        const std::size_t left = piece(0).held.bytes.size() - used_of_first_;
        if (size < left) {
            used_of_first_ += size;
            return;
        }
        size -= left;
        used_of_first_ = 0;
        piece(0).held = {};
        first_ = (first_ + 1) % kPieces;
        --count_;
    }
}

void Outbox::clear() {
    if (bytes_ > 0) sent(bytes_);
}

}  // namespace hpb::session
