#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "base/bytes.hpp"

namespace hpb::net {

/// A fixed-size buffer from its thread's free list. Held only while it has bytes in it: an idle
/// connection holds none. The head room lets a frame header be written right before the payload.
class Slab {
public:
    static constexpr std::size_t kHeadRoom = 64;
    static constexpr std::size_t kSize = 64 * 1024;
    /// Slabs that a thread keeps for reuse; others go back to the allocator.
    static constexpr std::size_t kMaxFreeSlabs = 64;

    Slab() = default;
    Slab(Slab&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
    Slab& operator=(Slab&& other) noexcept {
        std::swap(memory_, other.memory_);
        return *this;
    }
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;
    ~Slab() { release(); }

    [[nodiscard]] static Slab take();
    void release();

    explicit operator bool() const { return memory_ != nullptr; }
    /// kSize bytes; kHeadRoom more lie before them.
    [[nodiscard]] std::byte* data() const { return memory_ + kHeadRoom; }
    [[nodiscard]] MutableByteSpan span() const { return {data(), kSize}; }

private:
    explicit Slab(std::byte* memory) : memory_(memory) {}
    std::byte* memory_ = nullptr;
};

}  // namespace hpb::net
