#pragma once

#include <optional>

#include "net/slab.hpp"
#include "net/websocket/mask_keys.hpp"
#include "websocket/frame.hpp"

namespace hpb::net {

/// An outbound binary WebSocket message, as one frame: the payload is masked while it is gathered,
/// so that the source stays unchanged for retransmission.
class OutboundFrame {
public:
    /// A slab less the overhead of TLS and TCP: on loopback it is sent as one segment of 64 KiB,
    /// not as one and a few bytes.
    static constexpr std::size_t kMaxPayload = 65'000;
    static_assert(kMaxPayload + websocket::kMaxHeaderSize <= Slab::kSize);

    /// An empty one holds no slab.
    explicit OutboundFrame(websocket::Role sender) : masked_(sender == websocket::Role::client) {}

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t room() const { return kMaxPayload - size_; }
    /// @param bytes  at most room().
    void append(ByteSpan bytes) {
        if (!slab_) begin();
        websocket::copy_masked(slab_.data() + size_, bytes, key_, size_);
        size_ += bytes.size();
    }
    /// @return header and payload, without the bytes counted by begun(), valid until clear().
    /// Nothing can be appended afterwards.
    [[nodiscard]] ByteSpan finish() {
        const websocket::FrameHeader header{.masked = masked_, .mask = key_, .length = size_};
        const std::size_t head = websocket::header_size(size_, masked_);
        websocket::encode_header(slab_.data() - head, header);
        return ByteSpan(slab_.data() - head, head + size_).subspan(sent_.value_or(0));
    }
    /// Its first bytes were sent, and the WebSocket is reserved for the rest.
    void begun(std::size_t sent) { sent_ = sent; }
    [[nodiscard]] bool is_begun() const { return sent_.has_value(); }
    void clear() {
        slab_.release();
        size_ = 0;
        sent_.reset();
    }

private:
    void begin() {
        slab_ = Slab::take();
        if (masked_) key_ = next_mask_key();
    }

    bool masked_;
    Slab slab_;
    std::size_t size_ = 0;
    std::optional<std::size_t> sent_;
    websocket::MaskKey key_{};
};

}  // namespace hpb::net
