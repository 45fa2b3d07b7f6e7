// Generates a session's output for a channel, when the channel can take it.
#include <algorithm>

#include "session/session.hpp"

namespace hpb::session {
namespace {

// Room always reserved in an outbox for the frames that end a channel or a session.
constexpr std::size_t kReservedPieces = 16;
// The largest frame without data.
constexpr std::size_t kControlPieces = 8;

}  // namespace

std::span<const ByteSpan> Session::pending_output(ChannelId id, std::size_t wanted) {
    SessionChannel* channel = find(id);
    if (channel == nullptr) return {};
    while (channel->outbox.size() < wanted &&
           channel->outbox.free_pieces() > kReservedPieces + kControlPieces && fill_one(*channel)) {
    }
    return channel->outbox.spans();
}

void Session::output_sent(ChannelId id, std::size_t size) {
    SessionChannel* channel = find(id);
    if (channel == nullptr) return;
    channel->outbox.sent(std::min(size, channel->outbox.size()));
    if (channel->close_sent) tell_drained();
}

// Adds the most urgent frame. @return false if there is none.
bool Session::fill_one(SessionChannel& channel) {
    if (ended_ || channel.state != SessionChannel::State::open || channel.close_sent) return false;
    Outbox& out = channel.outbox;
    if (channel.pong_due || channel.ping_due) {
        const bool pong = channel.pong_due;
        (pong ? channel.pong_due : channel.ping_due) = false;
        out.append(ControlFrame{pong ? FrameType::pong : FrameType::ping, {}}
                       .u64(pong ? channel.pong_token : channel.ping_token)
                       .finish());
    } else if (channel.closing) {
        out.append(encode(FrameType::channel_close, {}, 0, {}).finish());
        channel.close_sent = true;
    } else if (streams_due_) {
        streams_due_ = false;
        out.append(ControlFrame{FrameType::streams, {}}.u32(peer_limit_).finish());
    } else if (!lost_due_.empty()) {
        out.append(ControlFrame{FrameType::channel_lost, {}}.u64(lost_due_.back().value).finish());
        lost_due_.pop_back();
    } else if (!closed_due_.empty()) {
        const StreamId id{closed_due_.back()};
        closed_due_.pop_back();
        out.append(ControlFrame{FrameType::closed, id}.finish());
    } else if (!channel.control.empty()) {
        Stream& stream = channel.control.front();
        channel.control.pop_front();
        put_control(channel, stream);
    } else {
        return put_data(channel);
    }
    return true;
}

void Session::put_control(SessionChannel& channel, Stream& stream) {
    Outbox& out = channel.outbox;
    const unsigned dirty = stream.dirty;
    stream.dirty = 0;
    if ((dirty & Stream::kEnd) != 0) {
        if (stream.state == State::refusing) {
            out.append(encode(FrameType::refused, stream.id,
                              static_cast<std::uint16_t>(stream.refusal), stream.text)
                           .finish());
        } else {
            out.append(ControlFrame{FrameType::reset, stream.id}
                           .u16(static_cast<std::uint16_t>(stream.reset_code))
                           .finish());
        }
        return;
    }
    const std::uint64_t credit = stream.receive.granted();
    if ((dirty & Stream::kOpen) != 0) {
        out.append(encode(stream.id, OpenFrame{stream.info, credit}).finish());
    }
    if ((dirty & Stream::kOpened) != 0) {
        out.append(ControlFrame{FrameType::opened, stream.id}.u64(credit).finish());
    }
    // The credit was sent with OPEN or OPENED; is there anything to acknowledge?
    const bool told = (dirty & (Stream::kOpen | Stream::kOpened)) != 0;
    const bool news = stream.receive.position() > stream.acked_position;
    if ((dirty & Stream::kAck) != 0 && (!told || news)) put_ack(channel, stream);
    wake(stream);  // after OPEN, data may follow
}

void Session::put_ack(SessionChannel& channel, Stream& stream) {
    stream.acked_position = stream.receive.position();
    stream.dirty = static_cast<std::uint8_t>(stream.dirty & ~unsigned{Stream::kAck});
    if (stream.ack_hook.is_linked()) stream.ack_hook.unlink();
    channel.outbox.append(
        encode(stream.id, AckFrame{stream.acked_position, stream.receive.granted()}).finish());
}

bool Session::put_data(SessionChannel& channel) {
    Stream* stream = channel.scheduler.next();
    const bool own = stream != nullptr;
    for (const auto& other : channels_) {
        // No data of its own: it helps a stream that has much to send.
        if (stream == nullptr) stream = other->scheduler.heavy(limits_.spread_above);
    }
    if (stream == nullptr) return false;
    std::size_t most =
        own && channel.scheduler.contended() ? limits_.shared_chunk : limits_.bulk_chunk;
    most = std::min<std::size_t>(most, std::min(peer_.max_frame, 65535U) - 8);
    // One piece for the headers, one more where the data begins within a slab.
    const std::size_t pieces = channel.outbox.free_pieces() - kReservedPieces - 4;
    most = std::min(most, pieces * pool_->slab_size());
    const auto chunk = stream->send.next(channel.id, most);
    if (!chunk) {
        // Already in too many ranges; the next acknowledgement wakes it again.
        if (own) Scheduler::remove(*stream);
        return own;
    }
    put_data_frame(channel, *stream, *chunk);
    if (own) channel.scheduler.charge(*stream, chunk->size);
    return true;
}

void Session::put_data_frame(SessionChannel& channel, Stream& stream,
                             const SendStream::Chunk& chunk) {
    if (stream.receive.position() > stream.acked_position) put_ack(channel, stream);
    std::array<std::byte, kDataHeaderSize> header;
    encode_data_header(header.data(), stream.id, chunk.offset,
                       static_cast<std::uint16_t>(chunk.size), chunk.fin);
    channel.outbox.append(header);
    for (std::uint64_t done = 0; done < chunk.size;) {
        HeldBytes bytes = stream.send.at(chunk.offset + done, chunk.size - done);
        done += bytes.bytes.size();
        channel.outbox.append(std::move(bytes));
    }
    (chunk.resend ? stats_.bytes_resent : stats_.bytes_sent) += chunk.size;
    channel.carries_data = true;
    stream.send.mark_sent(chunk, channel.id);
}

}  // namespace hpb::session
