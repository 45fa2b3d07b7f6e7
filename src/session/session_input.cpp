// How a session handles inbound frames.
#include <algorithm>

#include "session/session.hpp"

namespace hpb::session {
namespace {

Result<void> outcome(errc e) {
    if (e != errc::none) return e;
    return {};
}

// Maps a peer's code for a stream to one of our own reasons, for logs and events.
errc reason_of(std::uint16_t code) {
    return code > 0 && code < 64 ? static_cast<errc>(code) : errc::application_reset;
}

}  // namespace

Result<void> Session::on_bytes(ChannelId id, ByteSpan in, Clock::time_point now) {
    SessionChannel* channel = find(id);
    if (channel == nullptr) return errc::no_such_channel;
    if (ended_) return errc::session_ended;
    if (channel->state == SessionChannel::State::failed) return errc::closed;
    if (!in.empty()) channel->last_received = now;
    for (;;) {
        const auto piece = channel->decoder.next(in);
        if (piece && !*piece) break;
        const Result<void> done = piece ? on_piece(*channel, **piece, now) : piece.error();
        if (!done) {
            fail(*channel, static_cast<errc>(done.error().code().value()), now);
            return done;
        }
        if (ended_) return {};  // END_SESSION: ignore everything after it
    }
    if (unused_ > 0) settle_unused(now);
    tell_drained();
    return {};
}

Result<void> Session::on_piece(SessionChannel& channel, const Piece& piece, Clock::time_point now) {
    if (channel.state == SessionChannel::State::hello_sent)
        return on_handshake(channel, piece, now);
    if (channel.close_received) return errc::frame_after_close;
    switch (piece.header.type) {
        case FrameType::hello:
        case FrameType::welcome:
        case FrameType::refused_hello:
            return errc::unexpected_frame;
        case FrameType::streams:
        case FrameType::ping:
        case FrameType::pong:
        case FrameType::channel_close:
        case FrameType::channel_lost:
        case FrameType::end_session:
            return on_channel_frame(channel, piece, now);
        default:
            return on_stream_frame(channel, piece, now);
    }
}

Result<void> Session::on_handshake(SessionChannel& channel, const Piece& piece,
                                   Clock::time_point now) {
    if (piece.header.type == FrameType::refused_hello) {
        const auto refusal = parse_refused_hello(piece.body);
        if (!refusal) return refusal.error();
        Event& event = tell(Event::Kind::channel_refused);
        event.channel = channel.id;
        event.hello = refusal->code;
        event.text = refusal->text.empty() ? describe(refusal->code) : refusal->text;
        return Error{make_error_code(errc::refused),
                     "the service agent refused the channel: " + event.text};
    }
    if (piece.header.type != FrameType::welcome) return errc::unexpected_frame;
    const auto welcome = parse_welcome(piece.body);
    if (!welcome) return welcome.error();
    const Proof expected =
        service_proof(identity_.secret, identity_.id, channel.id, channel.nonce, welcome->nonce);
    if (!equal(expected, welcome->proof)) return errc::welcome_rejected;
    if (!choose_version(welcome->version, welcome->version)) return errc::welcome_rejected;
    if (const errc e = take_parameters(welcome->parameters); e != errc::none) return e;
    channel_opened(channel, welcome->listener_id, now);
    return {};
}

Result<void> Session::on_channel_frame(SessionChannel& channel, const Piece& piece,
                                       Clock::time_point now) {
    switch (piece.header.type) {
        case FrameType::streams: {
            const auto limit = parse_u32(piece.body);
            if (!limit) return limit.error();
            if (*limit > 0x7fffffff) return errc::malformed_frame;
            local_limit_ = std::max(local_limit_, *limit);
            return {};
        }
        case FrameType::ping: {
            const auto token = parse_u64(piece.body);
            if (!token) return token.error();
            // Only the last of several PINGs is answered: the answer is proof of life for all of
            // them.
            channel.pong_token = *token;
            channel.pong_due = true;
            return {};
        }
        case FrameType::pong: {
            const auto token = parse_u64(piece.body);
            if (!token) return token.error();
            on_pong(channel, *token, now);
            return {};
        }
        case FrameType::channel_lost: {
            const auto lost = parse_u64(piece.body);
            if (!lost) return lost.error();
            return on_peer_lost({*lost}, now);
        }
        case FrameType::channel_close: {
            const auto close = parse_code_and_text(piece.body);
            if (!close) return close.error();
            channel.close_received = true;
            if (channel.is_usable()) begin_close(channel);
            if (close->code == 0) return {};
            // Not a peer error: nothing is sent back.
            channel.close_sent = true;
            const errc why = close->code < 16 ? reason_of(close->code) : errc::unexpected_frame;
            return Error{make_error_code(why),
                         "the peer closed the channel: " +
                             (close->text.empty() ? std::string{describe(why)} : close->text)};
        }
        default: {
            const auto end = parse_code_and_text(piece.body);
            if (!end) return end.error();
            finish_session(end->code == 0 ? errc::session_ended : reason_of(end->code), errc::none);
            return {};
        }
    }
}

bool Session::is_local(StreamId stream) const {
    return (stream.value % 2 == 1) == (role_ == Role::client);
}

Result<void> Session::on_stream_frame(SessionChannel& channel, const Piece& piece,
                                      Clock::time_point now) {
    if (piece.header.stream == StreamId{}) return errc::wrong_stream;
    if (piece.header.type == FrameType::data) {
        if (piece.begin) channel.skips_data = false;
        if (channel.skips_data) return {};
    }
    if (Stream* stream = find(piece.header.stream)) {
        return on_frame_of(*stream, channel, piece, now);
    }
    if (piece.header.type == FrameType::data && !piece.begin) return {};  // gone since its begin
    return on_unknown_stream(channel, piece);
}

// Either the stream has ended here, and the peer is told so, or it never existed.
Result<void> Session::on_unknown_stream(SessionChannel& channel, const Piece& piece) {
    const StreamId id = piece.header.stream;
    const FrameType type = piece.header.type;
    const std::uint32_t index = (id.value - 1) / 2;
    if (is_local(id)) {
        if (index >= next_local_ || type == FrameType::open) return errc::wrong_stream;
    } else if (index >= next_peer_ || std::binary_search(skipped_.begin(), skipped_.end(), index)) {
        if (type == FrameType::open) return on_open(channel, piece);
        // Reset before its OPEN ever went out.
        if (type != FrameType::reset) return errc::wrong_stream;
        if (const errc e = use_peer_id(id); e != errc::none) return e;
        peer_stream_wasted();
    }
    if (type == FrameType::closed) return {};
    if (type == FrameType::data) channel.skips_data = true;
    return outcome(queue_closed(id));
}

errc Session::queue_closed(StreamId id) {
    const auto at =
        std::lower_bound(closed_due_.begin(), closed_due_.end(), id.value, std::greater<>{});
    if (at != closed_due_.end() && *at == id.value) return errc::none;
    closed_due_.insert(at, id.value);
    // Twice what both sides can have open: a peer that causes more does not read the answers.
    return closed_due_.size() > std::size_t{4} * limits_.max_streams + 64 ? errc::flood
                                                                          : errc::none;
}

// With several channels a higher id may arrive first: the ids in between are remembered until they
// arrive.
errc Session::use_peer_id(StreamId id) {
    const std::uint32_t index = (id.value - 1) / 2;
    if (index >= peer_limit_) return unused_ > 0 ? errc::flood : errc::stream_limit;
    if (index < next_peer_) {
        skipped_.erase(std::lower_bound(skipped_.begin(), skipped_.end(), index));
        return errc::none;
    }
    for (; next_peer_ < index; ++next_peer_) skipped_.push_back(next_peer_);
    next_peer_ = index + 1;
    return errc::none;
}

Result<void> Session::on_open(SessionChannel& channel, const Piece& piece) {
    const auto open = parse_open(piece.body);
    if (!open) return open.error();
    if (const errc e = use_peer_id(piece.header.stream); e != errc::none) return e;
    Stream& stream = add_stream(piece.header.stream, false);
    stream.confirmed = true;
    stream.info = open->info;
    stream.send.on_credit(open->credit);
    stream.receive.grant(limits_.initial_credit);
    // The frame arrived on this channel, so it works; unless it is about to be closed.
    if (channel.is_usable()) {
        set_home(stream, &channel);
    } else {
        rehome(stream);
    }
    tell(Event::Kind::opened, stream).open = stream.info;
    return {};
}

Result<void> Session::on_frame_of(Stream& stream, SessionChannel& channel, const Piece& piece,
                                  Clock::time_point now) {
    const FrameType type = piece.header.type;
    if (type == FrameType::closed) {
        on_closed(stream);
        return {};
    }
    if (type == FrameType::reset || type == FrameType::refused) return on_end(stream, piece);
    confirm(stream);
    // The peer does not know yet that the stream has ended; RESET or REFUSED is on its way.
    if (stream.state != State::live) return {};
    switch (type) {
        case FrameType::data:
            return on_data(stream, channel, piece, now);
        case FrameType::ack:
            return on_ack(stream, piece);
        case FrameType::opened: {
            const auto credit = parse_u64(piece.body);
            if (!credit) return credit.error();
            if (!stream.local) return errc::wrong_stream;
            if (!stream.accepted) tell(Event::Kind::accepted, stream);
            stream.accepted = true;
            if (stream.send.on_credit(*credit)) tell_writable(stream);
            return {};
        }
        default:  // a repeated OPEN: the peer believes it was lost
            if (stream.local) return errc::wrong_stream;
            mark(stream, stream.accepted ? Stream::kOpened : Stream::kAck);
            return {};
    }
}

void Session::confirm(Stream& stream) {
    if (stream.confirmed) return;
    stream.confirmed = true;
    if (stream.is_dirty(Stream::kOpen)) {
        stream.dirty = static_cast<std::uint8_t>(stream.dirty & ~unsigned{Stream::kOpen});
        wake(stream);
    }
}

Result<void> Session::on_data(Stream& stream, SessionChannel& channel, const Piece& piece,
                              Clock::time_point now) {
    channel.carries_data = true;
    ReceiveStream& in = stream.receive;
    const bool fin = (piece.header.flags & kFlagFin) != 0;
    if (piece.begin) {
        const errc e = in.check(piece.offset, piece.header.length - std::uint64_t{8}, fin);
        if (e != errc::none) return e;
    }
    const std::uint64_t held = in.held();
    const std::uint64_t before = in.position();
    const std::uint64_t readable = in.readable();
    const std::uint64_t end = piece.offset + piece.body.size();
    if (const errc e = in.on_data(piece.offset, piece.body); e != errc::none) return e;
    if (piece.end && fin) {
        if (const errc e = in.on_fin(end); e != errc::none) return e;
    }
    receive_budget_.shrink(held, in.held());
    stats_.bytes_received += in.readable() - readable;
    // A repetition means that the acknowledgement was lost.
    const bool repeated = piece.end && end + (fin ? 1 : 0) <= before;
    if (end <= before) stats_.bytes_repeated += piece.body.size();
    acknowledge(stream, repeated, now);
    tell_readable(stream);
    tell_finished(stream);
    remove_if_done(stream);
    return {};
}

void Session::acknowledge(Stream& stream, bool at_once, Clock::time_point now) {
    const std::uint64_t news = stream.receive.position() - stream.acked_position;
    if (at_once || news >= limits_.ack_bytes || (news > 0 && stream.receive.complete())) {
        mark(stream, Stream::kAck);
    } else if (news > 0 && !stream.ack_hook.is_linked()) {
        unacked_.push_back(stream);
        if (!ack_time_) ack_time_ = now + limits_.ack_delay;
    }
}

Result<void> Session::on_ack(Stream& stream, const Piece& piece) {
    const auto ack = parse_ack(piece.body);
    if (!ack) return ack.error();
    const std::uint64_t held = stream.send.held();
    if (!stream.send.on_ack(ack->position)) return errc::ack_beyond_sent;
    send_budget_.shrink(held, stream.send.held());
    stream.send.on_credit(ack->credit);
    wake(stream);
    tell_writable(stream);
    if (held != stream.send.held()) wake_writers();
    remove_if_done(stream);
    return {};
}

// RESET or REFUSED: the stream ends here too, whatever its state.
Result<void> Session::on_end(Stream& stream, const Piece& piece) {
    const bool refused = piece.header.type == FrameType::refused;
    if (refused && !stream.local) return errc::wrong_stream;
    const auto end = parse_code_and_text(piece.body);
    if (!end) return end.error();
    if (stream.state == State::live) {
        Event& event = tell(refused ? Event::Kind::refused : Event::Kind::reset, stream);
        ++(refused ? stats_.streams_refused : stats_.streams_reset);
        if (refused) {
            event.refusal = static_cast<OpenRefusal>(end->code);
            event.text = end->text;
        } else {
            event.code = reason_of(end->code);
        }
    }
    if (stream.state == State::live) stream.unused = stream.is_unused();
    const errc flood = queue_closed(stream.id);
    remove(stream);
    return outcome(flood);
}

// The peer has dropped a channel, perhaps after we did: what it sent there since then was lost, and
// it keeps no state of ended streams to resend it. So ask about them.
Result<void> Session::on_peer_lost(ChannelId lost, Clock::time_point now) {
    if (!lost_rate_.try_take(now)) return errc::flood;
    SessionChannel* channel = find(lost);
    if (channel != nullptr && !channel->told_dead) {
        channel->told_dead = true;
        tell(Event::Kind::channel_dead).channel = lost;
    }
    for (const auto& [id, stream] : streams_) {
        if (stream->state != State::live) {
            mark(*stream, Stream::kEnd);
        } else if (!stream->send.all_acked()) {
            mark(*stream, Stream::kAck);
        }
    }
    return {};
}

// The peer no longer has this stream.
void Session::on_closed(Stream& stream) {
    if (stream.state != State::live) {
        remove(stream);
        return;
    }
    if (!stream.receive.complete() || !stream.send.finished()) {
        // It cannot have received everything: this is not a clean end.
        stream.unused = stream.is_unused();
        tell(Event::Kind::reset, stream).code = errc::stream_forgotten;
        ++stats_.streams_reset;
        remove(stream);
        return;
    }
    const std::uint64_t held = stream.send.held();
    stream.send.on_all_arrived();
    send_budget_.shrink(held, 0);
    stream.peer_forgot = true;
    stream.dirty = 0;
    if (stream.control_hook.is_linked()) stream.control_hook.unlink();
    wake_writers();
    remove_if_done(stream);
}

}  // namespace hpb::session
