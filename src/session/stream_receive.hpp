#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "session/codes.hpp"
#include "session/slab.hpp"

namespace hpb::session {

/// The inbound half of a stream: puts bytes in order, drops duplicates, and reports its position.
/// Invariant: consumed_ <= contiguous_ <= highest_ <= granted_.
class ReceiveStream {
public:
    explicit ReceiveStream(SlabPool& pool) : bytes_(pool) {}

    /// Whether a frame of `size` bytes at `offset` may come. @return none, flow_control or
    /// final_size.
    [[nodiscard]] errc check(std::uint64_t offset, std::uint64_t size, bool fin) const;
    /// Stores bytes of a frame that check() has allowed: any part of it, possibly a duplicate.
    /// @return none, too_fragmented, or final_size if the end has meanwhile arrived on another
    /// channel.
    [[nodiscard]] errc on_data(std::uint64_t offset, ByteSpan bytes);
    /// The stream ends at `offset`. @return none, or final_size.
    [[nodiscard]] errc on_fin(std::uint64_t offset);

    /// Everything below has arrived; FIN counts as one position.
    [[nodiscard]] std::uint64_t position() const {
        return contiguous_ + (contiguous_ == final_ ? 1 : 0);
    }
    [[nodiscard]] std::uint64_t readable() const { return contiguous_ - consumed_; }
    /// Fills `out` with the bytes in order, from the first not consumed. @return pieces used.
    [[nodiscard]] std::size_t read(std::span<HeldBytes> out) const;
    [[nodiscard]] std::uint64_t consumed() const { return consumed_; }
    /// @param size  at most readable().
    void consume(std::uint64_t size);
    /// FIN and all before it have arrived.
    [[nodiscard]] bool complete() const { return contiguous_ == final_; }
    /// ... and were consumed.
    [[nodiscard]] bool done() const { return consumed_ == final_; }

    /// Upper bound of what is in flight or unread. @see Budget
    [[nodiscard]] std::uint64_t held() const {
        return complete() ? readable() : granted_ - consumed_;
    }
    [[nodiscard]] std::uint64_t granted() const { return granted_; }
    /// What a window of `window` bytes would grant now; 0 if that is less than a step: half of a
    /// small window, an eighth of a large one. Smaller steps cost a frame each, larger ones starve
    /// the sender.
    [[nodiscard]] std::uint64_t wanted(std::uint64_t window) const;
    void grant(std::uint64_t more) { granted_ += more; }
    void drop();

private:
    struct Piece {
        std::uint64_t begin;
        std::uint64_t end;
    };
    void absorb();

    ByteWindow bytes_;
    std::vector<Piece> pieces_;  // beyond contiguous_, ascending, apart from each other
    std::uint64_t consumed_ = 0;
    std::uint64_t contiguous_ = 0;
    std::uint64_t highest_ = 0;
    std::uint64_t granted_ = 0;
    std::optional<std::uint64_t> final_;
};

}  // namespace hpb::session
