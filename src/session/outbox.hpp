#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "session/slab.hpp"

namespace hpb::session {

/// Output that is ready for one channel: a short list of headers, stored here, and of payload,
/// referenced where the streams keep it. Its size is fixed; nothing in it moves until it was sent,
/// so that an asynchronous write may use it meanwhile.
class Outbox {
public:
    Outbox();

    /// Pieces that can still be added. One takes up to kInline bytes of headers, or one HeldBytes.
    [[nodiscard]] std::size_t free_pieces() const { return kPieces - count_; }
    [[nodiscard]] std::size_t size() const { return bytes_; }
    [[nodiscard]] bool empty() const { return bytes_ == 0; }

    /// Needs size / kInline + 2 free pieces.
    void append(ByteSpan header);
    void append(HeldBytes payload);

    /// Everything, as a gather list.
    [[nodiscard]] std::span<const ByteSpan> spans();
    /// @param size  at most size().
    void sent(std::size_t size);
    void clear();

    static constexpr std::size_t kInline = 64;
    static constexpr std::size_t kPieces = 128;

private:
    struct Piece {
        HeldBytes held;  // its bytes lie in `own` when there is no slab
        std::array<std::byte, kInline> own;
    };
    [[nodiscard]] Piece& piece(std::size_t i) { return pieces_[(first_ + i) % kPieces]; }

    std::unique_ptr<Piece[]> pieces_;  // a ring
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;
    std::size_t used_of_first_ = 0;
    std::vector<ByteSpan> spans_;
};

}  // namespace hpb::session
