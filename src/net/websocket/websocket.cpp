#include "net/websocket/websocket.hpp"

#include <algorithm>

#include "net/slab.hpp"
#include "net/websocket/frame_writer.hpp"
#include "net/websocket/mask_keys.hpp"
#include "ops/limits.hpp"

namespace hpb::net {

using websocket::Opcode;

struct WebSocket::State : std::enable_shared_from_this<WebSocket::State> {
    State(Stream s, websocket::Role r, ByteSpan early)
        : stream(std::move(s)),
          role(r),
          decoder(r),
          writer(stream, r),
          last_received(Clock::now()) {
        if (early.empty()) return;
        // Callers read at most a slab behind a handshake.
        slab = Slab::take();
        unread = slab.span().first(std::min(early.size(), Slab::kSize));
        std::copy_n(early.begin(), unread.size(), unread.begin());
    }

    void send_control(Opcode opcode, ByteSpan payload) {
        if (!writer.queue_control(opcode, payload)) return;
        spawn(stream.executor(), flush(shared_from_this()));
    }

    static awaitable<void> flush(std::shared_ptr<State> self) {
        (void)co_await self->writer.flush();
    }

    awaitable<Result<void>> fill() {
        if (failed) co_return *failed;
        if (std::exchange(drained, false)) {
            const auto ready = co_await stream.wait_readable();
            if (!ready) co_return ready.error();
        }
        const auto read = co_await stream.read_some(slab);
        if (!read) co_return read.error();
        if (*read == 0) {
            co_return Error(asio::error::eof, "the peer ended the connection without a Close");
        }
        unread = slab.span().first(*read);
        last_received = Clock::now();
        co_return Result<void>();
    }

    /// @return false after a Close.
    Result<bool> on_control(const websocket::Decoder::Event& event) {
        if (event.opcode == Opcode::ping) {
            peer_pings = true;
            send_control(Opcode::pong, event.payload);
        } else if (event.opcode == Opcode::close) {
            const auto payload = websocket::parse_close_payload(event.payload);
            if (!payload) return payload.error();
            close_received = *payload;
            send_control(Opcode::close, event.payload);
            return false;
        }
        return true;
    }

    /// What the bytes that were read give next; nullopt if more are needed.
    std::optional<Received> next() {
        if (close_received) return Received(std::optional<Piece>());
        while (!unread.empty()) {
            const auto event = decoder.next(unread);
            if (!event) {
                const std::string payload = websocket::encode_close_payload(
                    websocket::close_code_for(event.error()), event.error().message());
                send_control(Opcode::close, as_bytes(payload));
                return Received(event.error());
            }
            if (event->kind == websocket::Decoder::Kind::control) {
                const auto going_on = on_control(*event);
                if (!going_on) return Received(going_on.error());
                if (!*going_on) return Received(std::optional<Piece>());
            } else if (event->kind == websocket::Decoder::Kind::data) {
                std::optional<Piece> piece(std::in_place);
                piece->opcode = event->opcode;
                piece->message_start = event->message_start;
                piece->message_end = event->message_end;
                piece->payload = event->payload;
                return Received(piece);
            }
        }
        return std::nullopt;
    }

    Stream stream;
    websocket::Role role;
    websocket::Decoder decoder;
    FrameWriter writer;
    Slab slab;
    MutableByteSpan unread;
    std::optional<websocket::ClosePayload> close_received;
    std::optional<Error> failed;  // what read_more() has met
    Clock::time_point last_received;
    bool drained = false;  // read_more() has found nothing, so there is nothing to try
    bool peer_pings = false;
};

WebSocket::WebSocket(Stream stream, websocket::Role role, ByteSpan early)
    : state_(std::make_shared<State>(std::move(stream), role, early)) {}

WebSocket::~WebSocket() {
    if (state_) state_->stream.interrupt();
}

std::optional<WebSocket::Received> WebSocket::receive_buffered() {
    return state_->next();
}

bool WebSocket::read_more() {
    State& state = *state_;
    if (!state.unread.empty() || !state.slab) return false;
    const auto read = state.stream.try_read(state.slab.span());
    if (!read) {
        state.drained = read.error().code() == asio::error::would_block;
        if (!state.drained) state.failed = read.error();
        return false;
    }
    if (*read == 0) return false;  // the next read finds the end again
    state.unread = state.slab.span().first(*read);
    state.last_received = Clock::now();
    return true;
}

awaitable<WebSocket::Received> WebSocket::receive() {
    const auto state = state_;  // the handle may be moved or destroyed while this waits
    for (;;) {
        auto next = state->next();
        if (next) co_return std::move(*next);
        state->slab.release();
        const auto filled = co_await state->fill();
        if (!filled) co_return filled.error();
    }
}

awaitable<Result<std::optional<WebSocket::Message>>> WebSocket::receive_message(std::size_t limit) {
    std::optional<Message> message(std::in_place);
    for (;;) {
        const auto piece = co_await receive();
        if (!piece) co_return piece.error();
        if (!*piece) co_return std::optional<Message>();
        const Piece& part = **piece;
        if (message->data.size() + part.payload.size() > limit) {
            ops::reached(ops::Limit::large_messages);
            const Error error(websocket::errc::message_too_large);
            send_close(websocket::close_code_for(error), error.message());
            co_return error;
        }
        message->opcode = part.opcode;
        message->data.append(as_text(part.payload));
        if (part.message_end) co_return message;
    }
}

awaitable<Result<void>> WebSocket::send(Opcode opcode, ByteSpan payload) {
    const auto state = state_;
    Slab slab = Slab::take();
    std::vector<std::byte> large;  // only for messages that no slab holds: none on the data path
    MutableByteSpan copy = slab.span();
    if (payload.size() > copy.size()) {
        large.resize(websocket::kMaxHeaderSize + payload.size());
        copy = MutableByteSpan(large).subspan(websocket::kMaxHeaderSize);
    }
    copy = copy.first(payload.size());
    std::copy(payload.begin(), payload.end(), copy.begin());
    co_return co_await send_in_place(opcode, copy);
}

awaitable<Result<void>> WebSocket::send_in_place(Opcode opcode, MutableByteSpan payload) {
    const auto state = state_;
    websocket::FrameHeader header;
    header.opcode = opcode;
    header.length = payload.size();
    header.masked = state->role == websocket::Role::client;
    if (header.masked) {
        header.mask = next_mask_key();
        websocket::apply_mask(payload, header.mask);
    }
    const std::size_t size = websocket::header_size(header.length, header.masked);
    std::byte* start = payload.data() - size;
    websocket::encode_header(start, header);
    const ByteSpan frame(start, size + payload.size());
    co_return co_await state->writer.write(frame);
}

OutboundFrame WebSocket::new_frame() const {
    return OutboundFrame(state_->role);
}

awaitable<Result<void>> WebSocket::send(OutboundFrame& frame) {
    const auto state = state_;
    const ByteSpan bytes = frame.finish();
    auto writing = frame.is_begun() ? state->writer.write_rest(bytes) : state->writer.write(bytes);
    auto sent = co_await std::move(writing);
    frame.clear();
    co_return sent;
}

bool WebSocket::try_send(OutboundFrame& frame) {
    const auto written = state_->writer.try_write(frame.finish());
    if (!written) return false;
    if (state_->writer.busy()) {
        frame.begun(*written);
        return false;
    }
    frame.clear();
    return true;
}

void WebSocket::send_close(std::uint16_t code, std::string_view reason) {
    const std::string payload = websocket::encode_close_payload(code, reason);
    state_->send_control(Opcode::close, as_bytes(payload));
}

void WebSocket::send_ping() {
    state_->send_control(Opcode::ping, {});
}
void WebSocket::send_pong() {
    state_->send_control(Opcode::pong, {});
}

awaitable<void> WebSocket::close(std::uint16_t code, std::string_view reason,
                                 std::chrono::milliseconds limit) {
    const auto state = state_;
    send_close(code, reason);
    Deadline deadline(state->stream, limit);
    while (!state->close_received) {
        const auto piece = co_await receive();
        if (piece) continue;
        if (deadline.expired()) ops::reached(ops::Limit::unanswered_closes);
        co_return;
    }
    co_await state->writer.idle();
    co_await state->stream.close_gracefully(limit);
}

void WebSocket::interrupt() {
    state_->stream.interrupt();
}
bool WebSocket::close_sent() const {
    return state_->writer.close_queued();
}
const std::optional<websocket::ClosePayload>& WebSocket::close_received() const {
    return state_->close_received;
}
Clock::time_point WebSocket::last_received() const {
    return state_->last_received;
}
bool WebSocket::peer_pings() const {
    return state_->peer_pings;
}
asio::any_io_executor WebSocket::executor() const {
    return state_->stream.executor();
}
Stream& WebSocket::stream() {
    return state_->stream;
}

}  // namespace hpb::net
