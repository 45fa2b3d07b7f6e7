#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace hpb::session {

class SlabPool;

/// A shared reference to one slab of a SlabPool. Reference-counted without locks: everything that
/// holds a slab
/// lives on one thread, and the pool outlives it.
class SlabRef {
public:
    SlabRef() = default;
    SlabRef(const SlabRef& other) noexcept : slab_(other.slab_) {
        if (slab_ != nullptr) ++slab_->holders;
    }
    SlabRef(SlabRef&& other) noexcept : slab_(std::exchange(other.slab_, nullptr)) {}
    SlabRef& operator=(SlabRef other) noexcept {
        std::swap(slab_, other.slab_);
        return *this;
    }
    ~SlabRef() { drop(); }

    [[nodiscard]] std::byte* data() const { return slab_->bytes.get(); }
    explicit operator bool() const { return slab_ != nullptr; }

private:
    friend class SlabPool;
    struct Slab {
        std::unique_ptr<std::byte[]> bytes;
        SlabPool* pool = nullptr;
        std::size_t holders = 0;
    };
    explicit SlabRef(Slab* slab) : slab_(slab) { slab_->holders = 1; }
    void drop() noexcept;
    Slab* slab_ = nullptr;
};

/// Fixed-size blocks for payload. Returned blocks are kept for reuse, so that a steady flow
/// allocates nothing. Has no limit itself: the sessions' budgets do.
class SlabPool {
public:
    /// @param keep  free slabs to keep; more go back to the heap.
    explicit SlabPool(std::size_t slab_size = 16 * 1024, std::size_t keep = 256);
    SlabPool(const SlabPool&) = delete;
    SlabPool& operator=(const SlabPool&) = delete;

    [[nodiscard]] SlabRef take();
    [[nodiscard]] std::size_t slab_size() const { return slab_size_; }
    [[nodiscard]] std::size_t in_use() const { return in_use_; }
    [[nodiscard]] std::size_t kept() const { return free_.size(); }

private:
    friend class SlabRef;
    void give_back(SlabRef::Slab* slab) noexcept;

    std::size_t slab_size_;
    std::size_t keep_;
    std::size_t in_use_ = 0;
    std::vector<std::unique_ptr<SlabRef::Slab>> free_;
};

/// A piece of bytes that stays valid for as long as it is held.
struct HeldBytes {
    SlabRef slab;
    ByteSpan bytes;
};

/// The bytes of a stream between two offsets, in slabs that exist only where bytes are.
class ByteWindow {
public:
    explicit ByteWindow(SlabPool& pool) : pool_(&pool) {}

    /// Copies `bytes` to `offset`, which must not lie below what was released. The caller limits
    /// the distance from there.
    void write(std::uint64_t offset, ByteSpan bytes);

    /// Slabs for `size` bytes from `offset`, for the caller to fill in the order of `out`.
    /// @return pieces used.
    [[nodiscard]] std::size_t reserve(std::uint64_t offset, std::uint64_t size,
                                      std::span<MutableByteSpan> out);
    /// Releases the slabs that begin at `offset` or beyond.
    void trim(std::uint64_t offset);

    /// The written piece at `offset`, at most `size` bytes and within one slab.
    [[nodiscard]] HeldBytes at(std::uint64_t offset, std::uint64_t size) const;

    /// Forgets everything below `offset`.
    void release_before(std::uint64_t offset);
    /// Releases everything; the next write begins at `offset`, so that an idle stream holds no
    /// slab.
    void release_all(std::uint64_t offset);

private:
    [[nodiscard]] SlabRef& slot(std::uint64_t index) { return slots_[index & (slots_.size() - 1)]; }
    void make_room(std::uint64_t index);
    [[nodiscard]] MutableByteSpan room_at(std::uint64_t offset, std::uint64_t size);

    SlabPool* pool_;
    std::vector<SlabRef> slots_;  // a ring; its size is a power of two
    std::uint64_t first_ = 0;     // index of the first slab that may be written
    std::uint64_t last_ = 0;      // and behind the last that was
};

}  // namespace hpb::session
