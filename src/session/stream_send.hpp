#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "session/ids.hpp"
#include "session/slab.hpp"

namespace hpb::session {

/// The outbound half of a stream: keeps every byte until it is acknowledged, and remembers which
/// channel each went out on. Positions count the bytes, and FIN as one more after the last.
/// Invariant: acked_ <= sent_ <= limit(); end_ <= credit_ (bytes only: FIN needs no credit).
class SendStream {
public:
    /// One DATA frame's worth. `fin` says that it ends with FIN's position.
    struct Chunk {
        std::uint64_t offset = 0;
        std::uint64_t size = 0;
        bool fin = false;
        bool resend = false;
    };

    explicit SendStream(SlabPool& pool) : bytes_(pool) {}

    /// @return bytes that the peer's credit still allows.
    [[nodiscard]] std::uint64_t room() const { return finished_ ? 0 : credit_ - end_; }
    /// Bytes kept. @see Budget
    [[nodiscard]] std::uint64_t held() const { return acked_ < end_ ? end_ - acked_ : 0; }
    /// @param bytes  at most room().
    void write(ByteSpan bytes);
    /// Room for up to `size` bytes, at most room(), for the caller to fill; commit() then says how
    /// many were written. @return pieces used.
    [[nodiscard]] std::size_t reserve(std::uint64_t size, std::span<MutableByteSpan> out) {
        return bytes_.reserve(end_, size, out);
    }
    void commit(std::uint64_t size);
    void finish() { finished_ = true; }
    [[nodiscard]] bool finished() const { return finished_; }
    [[nodiscard]] std::uint64_t written() const { return end_; }

    /// Absolute; an older, smaller one changes nothing. @return true if it grew.
    bool on_credit(std::uint64_t credit);
    /// @param position  everything below has arrived. @return false if it was never sent.
    [[nodiscard]] bool on_ack(std::uint64_t position);
    /// The peer has everything, whatever was acknowledged.
    void on_all_arrived();
    /// Requeues what went out on `channel` and was not acknowledged. @return how many bytes.
    std::uint64_t on_channel_lost(ChannelId channel);

    /// What to send next on `channel`. @param most  data bytes.
    [[nodiscard]] std::optional<Chunk> next(ChannelId channel, std::uint64_t most) const;
    void mark_sent(const Chunk& chunk, ChannelId channel);
    [[nodiscard]] bool has_pending() const { return lost_ > 0 || sent_ < limit(); }
    /// Bytes and FIN not yet sent; decides whether the stream is spread over several channels.
    [[nodiscard]] std::uint64_t unsent() const { return limit() - sent_; }
    [[nodiscard]] bool in_flight_on(ChannelId channel) const;

    [[nodiscard]] HeldBytes at(std::uint64_t offset, std::uint64_t size) const {
        return bytes_.at(offset, size);
    }
    /// FIN and all before it are acknowledged.
    [[nodiscard]] bool done() const { return finished_ && acked_ == limit(); }
    [[nodiscard]] bool all_acked() const { return acked_ == limit(); }
    [[nodiscard]] std::uint64_t credit() const { return credit_; }
    /// Forgets the data: the stream is reset.
    void drop();

private:
    /// Positions up to `end` (from the range before it, or acked_) went out on `channel`; on none
    /// if that channel was lost.
    struct Range {
        std::uint64_t end;
        ChannelId channel;
    };
    [[nodiscard]] std::uint64_t limit() const { return end_ + (finished_ ? 1 : 0); }
    [[nodiscard]] Chunk chunk(std::uint64_t from, std::uint64_t to, std::uint64_t most) const;
    void mark_resent(std::uint64_t end, ChannelId channel);
    void merge_neighbours();
    void release();

    ByteWindow bytes_;
    std::vector<Range> ranges_;  // of [acked_, sent_), ascending, without gaps
    std::size_t lost_ = 0;       // ranges without a channel
    std::uint64_t acked_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t end_ = 0;
    std::uint64_t credit_ = 0;
    bool finished_ = false;
};

}  // namespace hpb::session
