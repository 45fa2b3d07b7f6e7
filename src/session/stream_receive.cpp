#include "session/stream_receive.hpp"

#include <algorithm>

namespace hpb::session {
namespace {

// Far more than the ranges that a sender keeps apart, and little memory.
constexpr std::size_t kMaxPieces = 4096;
// Granting less is not worth a frame if the window has room for larger steps.
constexpr std::uint64_t kStep = 64 * 1024;

}  // namespace

errc ReceiveStream::check(std::uint64_t offset, std::uint64_t size, bool fin) const {
    if (offset > granted_ || size > granted_ - offset) return errc::flow_control;
    const std::uint64_t end = offset + size;
    if (final_ && (end > *final_ || (fin && end != *final_))) return errc::final_size;
    if (fin && end < highest_) return errc::final_size;
    return errc::none;
}

errc ReceiveStream::on_data(std::uint64_t offset, ByteSpan bytes) {
    const std::uint64_t end = offset + bytes.size();
    if (final_ && end > *final_) return errc::final_size;
    highest_ = std::max(highest_, end);
    if (end <= contiguous_) return errc::none;  // entirely a duplicate
    if (offset < contiguous_) bytes = bytes.subspan(contiguous_ - offset);
    const std::uint64_t begin = end - bytes.size();
    // Nothing beyond contiguous_ has been delivered yet, so writing it twice is harmless.
    bytes_.write(begin, bytes);
    if (begin == contiguous_) {
        contiguous_ = end;
    } else {
        const auto first = std::find_if(pieces_.begin(), pieces_.end(),
                                        [&](const Piece& piece) { return piece.end >= begin; });
        auto last = first;
        Piece merged{begin, end};
        for (; last != pieces_.end() && last->begin <= end; ++last) {
            merged = {std::min(merged.begin, last->begin), std::max(merged.end, last->end)};
        }
        pieces_.insert(pieces_.erase(first, last), merged);
        if (pieces_.size() > kMaxPieces) return errc::too_fragmented;
    }
    absorb();
    return errc::none;
}

errc ReceiveStream::on_fin(std::uint64_t offset) {
    if (highest_ > offset || (final_ && *final_ != offset)) return errc::final_size;
    final_ = offset;
    return errc::none;
}

void ReceiveStream::absorb() {
    auto piece = pieces_.begin();
    for (; piece != pieces_.end() && piece->begin <= contiguous_; ++piece) {
        contiguous_ = std::max(contiguous_, piece->end);
    }
    pieces_.erase(pieces_.begin(), piece);
}

std::size_t ReceiveStream::read(std::span<HeldBytes> out) const {
    std::size_t used = 0;
    for (std::uint64_t at = consumed_; at < contiguous_ && used < out.size(); ++used) {
        out[used] = bytes_.at(at, contiguous_ - at);
        at += out[used].bytes.size();
    }
    return used;
}

void ReceiveStream::consume(std::uint64_t size) {
    consumed_ += size;
    if (consumed_ == contiguous_ && pieces_.empty()) {
        bytes_.release_all(consumed_);
    } else {
        bytes_.release_before(consumed_);
    }
}

std::uint64_t ReceiveStream::wanted(std::uint64_t window) const {
    if (final_) return 0;
    const std::uint64_t more = consumed_ + window > granted_ ? consumed_ + window - granted_ : 0;
    const std::uint64_t step = std::min((window + 1) / 2, std::max(kStep, window / 8));
    return more >= step ? more : 0;
}

void ReceiveStream::drop() {
    pieces_.clear();
    bytes_.release_all(contiguous_);
    granted_ = highest_ = consumed_ = contiguous_;
    final_ = contiguous_;
}

}  // namespace hpb::session
