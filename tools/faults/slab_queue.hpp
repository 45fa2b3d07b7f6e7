#pragma once

#include <cstddef>
#include <deque>
#include <utility>

#include "net/slab.hpp"

namespace hpb::faults {

/// A byte queue of slabs: the kernel writes at its back and reads from its front, and nothing is
/// copied in between. Holds no slab when empty. Its owner bounds it; one thread.
class SlabQueue {
public:
    /// A slab with less room than this at its end is left as it is: small pieces share slabs, and
    /// large reads stay large.
    static constexpr std::size_t kMinRoom = 16 * 1024;

    /// Room to read into, kMinRoom bytes at least, until the next call of anything.
    [[nodiscard]] MutableByteSpan room() {
        if (parts_.empty() || net::Slab::kSize - parts_.back().end < kMinRoom) {
            parts_.push_back({net::Slab::take()});
        }
        return parts_.back().slab.span().subspan(parts_.back().end);
    }
    /// `bytes` of room() have been filled; 0 gives the room back.
    void commit(std::size_t bytes) {
        parts_.back().end += bytes;
        size_ += bytes;
        if (size_ == 0) clear();
    }

    /// The first bytes that lie together; empty for an empty queue.
    [[nodiscard]] ByteSpan front() const {
        if (parts_.empty()) return {};
        const auto& part = parts_.front();
        return part.slab.span().subspan(part.begin, part.end - part.begin);
    }
    /// The first `bytes` of front() are done with.
    void consume(std::size_t bytes) {
        auto& part = parts_.front();
        part.begin += bytes;
        size_ -= bytes;
        if (size_ == 0) {
            clear();
        } else if (part.begin == part.end) {
            parts_.pop_front();
        }
    }
    void clear() {
        parts_.clear();
        size_ = 0;
    }
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    struct Part {
        net::Slab slab;
        std::size_t begin = 0;
        std::size_t end = 0;
    };
    std::deque<Part> parts_;
    std::size_t size_ = 0;
};

}  // namespace hpb::faults
