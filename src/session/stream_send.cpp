#include "session/stream_send.hpp"

#include <algorithm>

namespace hpb::session {
namespace {

// Ranges alternate between channels at the grain of frames, so that this many cover any window; a
// stream of tiny frames stays on one channel from here on.
constexpr std::size_t kMaxRanges = 1024;

}  // namespace

void SendStream::write(ByteSpan bytes) {
    bytes_.write(end_, bytes);
    end_ += bytes.size();
}

void SendStream::commit(std::uint64_t size) {
    end_ += size;
    if (acked_ >= end_) {
        bytes_.release_all(end_);
    } else {
        bytes_.trim(end_);
    }
}

bool SendStream::on_credit(std::uint64_t credit) {
    if (credit <= credit_) return false;
    credit_ = credit;
    return true;
}

bool SendStream::on_ack(std::uint64_t position) {
    if (position > sent_) return false;
    if (position <= acked_) return true;
    auto range = ranges_.begin();
    for (; range != ranges_.end() && range->end <= position; ++range) {
        if (range->channel == ChannelId{}) --lost_;
    }
    ranges_.erase(ranges_.begin(), range);
    acked_ = position;
    release();
    return true;
}

void SendStream::on_all_arrived() {
    ranges_.clear();
    lost_ = 0;
    acked_ = sent_ = limit();
    release();
}

void SendStream::release() {
    if (acked_ >= end_) {
        bytes_.release_all(end_);
    } else {
        bytes_.release_before(acked_);
    }
}

void SendStream::drop() {
    finished_ = true;
    on_all_arrived();
}

std::uint64_t SendStream::on_channel_lost(ChannelId channel) {
    std::uint64_t lost = 0;
    std::uint64_t begin = acked_;
    for (Range& range : ranges_) {
        if (range.channel == channel) {
            range.channel = {};
            lost += std::min(range.end, end_) - std::min(begin, end_);
        }
        begin = range.end;
    }
    merge_neighbours();
    return lost;
}

void SendStream::merge_neighbours() {
    std::size_t kept = 0;
    for (const Range& range : ranges_) {
        if (kept > 0 && ranges_[kept - 1].channel == range.channel) {
            ranges_[kept - 1].end = range.end;
        } else {
            ranges_[kept++] = range;
        }
    }
    ranges_.resize(kept);
    lost_ = static_cast<std::size_t>(
        std::count_if(ranges_.begin(), ranges_.end(),
                      [](const Range& range) { return range.channel == ChannelId{}; }));
}

SendStream::Chunk SendStream::chunk(std::uint64_t from, std::uint64_t to,
                                    std::uint64_t most) const {
    const std::uint64_t size = std::min(most, std::min(to, end_) - from);
    return {.offset = from, .size = size, .fin = finished_ && to > end_ && from + size == end_};
}

std::optional<SendStream::Chunk> SendStream::next(ChannelId channel, std::uint64_t most) const {
    if (lost_ > 0) {
        std::uint64_t begin = acked_;
        for (const Range& range : ranges_) {
            if (range.channel == ChannelId{}) {
                Chunk found = chunk(begin, range.end, most);
                found.resend = true;
                return found;
            }
            begin = range.end;
        }
    }
    if (sent_ == limit()) return std::nullopt;
    if (ranges_.size() >= kMaxRanges && ranges_.back().channel != channel) return std::nullopt;
    return chunk(sent_, limit(), most);
}

void SendStream::mark_sent(const Chunk& chunk, ChannelId channel) {
    const std::uint64_t end = chunk.offset + chunk.size + (chunk.fin ? 1 : 0);
    if (chunk.resend) {
        mark_resent(end, channel);
        return;
    }
    sent_ = end;
    if (!ranges_.empty() && ranges_.back().channel == channel) {
        ranges_.back().end = end;
    } else {
        ranges_.push_back({end, channel});
    }
}

// The first range without a channel was resent, at least its beginning.
void SendStream::mark_resent(std::uint64_t end, ChannelId channel) {
    const auto lost = std::find_if(ranges_.begin(), ranges_.end(),
                                   [](const Range& range) { return range.channel == ChannelId{}; });
    if (end < lost->end) {
        ranges_.insert(lost, {end, channel});
    } else {
        lost->channel = channel;
    }
    merge_neighbours();
}

bool SendStream::in_flight_on(ChannelId channel) const {
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [&](const Range& range) { return range.channel == channel; });
}

}  // namespace hpb::session
