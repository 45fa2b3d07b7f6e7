#include "session/slab.hpp"

#include <algorithm>
#include <bit>

namespace hpb::session {

void SlabRef::drop() noexcept {
    if (slab_ != nullptr && --slab_->holders == 0) slab_->pool->give_back(slab_);
    slab_ = nullptr;
}

SlabPool::SlabPool(std::size_t slab_size, std::size_t keep) : slab_size_(slab_size), keep_(keep) {
    free_.reserve(keep);
}

SlabRef SlabPool::take() {
    ++in_use_;
    if (!free_.empty()) {
        SlabRef::Slab* slab = free_.back().release();
        free_.pop_back();
        return SlabRef{slab};
    }
    auto slab = std::make_unique<SlabRef::Slab>();
    slab->bytes = std::make_unique_for_overwrite<std::byte[]>(slab_size_);
    slab->pool = this;
    return SlabRef{slab.release()};
}

void SlabPool::give_back(SlabRef::Slab* slab) noexcept {
    --in_use_;
    std::unique_ptr<SlabRef::Slab> owned{slab};
    if (free_.size() < keep_) free_.push_back(std::move(owned));  // reserved: cannot throw
}

void ByteWindow::make_room(std::uint64_t index) {
    if (index >= first_ + slots_.size()) {
        std::vector<SlabRef> larger(std::bit_ceil(index - first_ + 1));
        for (std::uint64_t i = first_; i < last_; ++i) {
            larger[i & (larger.size() - 1)] = std::move(slot(i));
        }
        slots_ = std::move(larger);
    }
    last_ = std::max(last_, index + 1);
}

// The part of `size` bytes from `offset` that lies in the first slab, which is allocated if
// missing.
MutableByteSpan ByteWindow::room_at(std::uint64_t offset, std::uint64_t size) {
    const std::size_t slab_size = pool_->slab_size();
    make_room(offset / slab_size);
    SlabRef& slab = slot(offset / slab_size);
    if (!slab) slab = pool_->take();
    const std::size_t in_slab = offset % slab_size;
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(size, slab_size - in_slab));
    return {slab.data() + in_slab, n};
}

void ByteWindow::write(std::uint64_t offset, ByteSpan bytes) {
    while (!bytes.empty()) {
        const MutableByteSpan room = room_at(offset, bytes.size());
        std::copy_n(bytes.begin(), room.size(), room.begin());
        offset += room.size();
        bytes = bytes.subspan(room.size());
    }
}

std::size_t ByteWindow::reserve(std::uint64_t offset, std::uint64_t size,
                                std::span<MutableByteSpan> out) {
    std::size_t used = 0;
    for (; size > 0 && used < out.size(); ++used) {
        out[used] = room_at(offset, size);
        offset += out[used].size();
        size -= out[used].size();
    }
    return used;
}

void ByteWindow::trim(std::uint64_t offset) {
    const std::size_t slab_size = pool_->slab_size();
    const std::uint64_t keep = std::max(first_, (offset + slab_size - 1) / slab_size);
    while (last_ > keep) slot(--last_) = {};
}

HeldBytes ByteWindow::at(std::uint64_t offset, std::uint64_t size) const {
    const std::size_t slab_size = pool_->slab_size();
    const SlabRef& slab = slots_[offset / slab_size & (slots_.size() - 1)];
    const std::size_t in_slab = offset % slab_size;
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(size, slab_size - in_slab));
    return {slab, ByteSpan{slab.data() + in_slab, n}};
}

void ByteWindow::release_before(std::uint64_t offset) {
    const std::uint64_t keep = offset / pool_->slab_size();
    for (; first_ < last_ && first_ < keep; ++first_) slot(first_) = {};
    first_ = std::max(first_, keep);
    last_ = std::max(last_, first_);
}

void ByteWindow::release_all(std::uint64_t offset) {
    for (; first_ < last_; ++first_) slot(first_) = {};
    first_ = last_ = offset / pool_->slab_size();
}

}  // namespace hpb::session
