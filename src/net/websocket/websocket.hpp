#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/coro.hpp"
#include "net/stream.hpp"
#include "net/websocket/outbound_frame.hpp"
#include "websocket/frame.hpp"

namespace hpb::net {

/// A WebSocket connection after its opening handshake, in either role (RFC 6455). Any number of
/// coroutines of its thread may send, one may receive. Pings are answered while receiving; Close is
/// answered at once.
///
/// A handle to shared state: a control frame that did not fit into the socket is finished by its
/// own coroutine, which may outlive the last handle until it fails.
class WebSocket {
public:
    /// @param early  bytes that were read after the handshake.
    WebSocket(Stream stream, websocket::Role role, ByteSpan early);
    WebSocket(WebSocket&&) noexcept = default;
    WebSocket& operator=(WebSocket&&) noexcept = default;
    /// Interrupts operations in progress.
    ~WebSocket();

    /// A piece of a data message, unmasked, valid until the next receive().
    struct Piece {
        websocket::Opcode opcode = websocket::Opcode::binary;
        bool message_start = false;
        bool message_end = false;
        MutableByteSpan payload;
    };

    using Received = Result<std::optional<Piece>>;
    /// @return a piece; nullopt once the peer's Close has arrived (see close_received()); an error
    /// when the connection is lost or the peer broke the protocol.
    [[nodiscard]] awaitable<Received> receive();
    /// The same for data already read. @return nullopt if receive() would have to wait.
    [[nodiscard]] std::optional<Received> receive_buffered();
    /// After receive_buffered() returned nothing: reads what is available without waiting. @return
    /// false if nothing was read; receive() returns the reason.
    [[nodiscard]] bool read_more();

    struct Message {
        websocket::Opcode opcode = websocket::Opcode::text;
        std::string data;
    };
    /// A whole message of at most `limit` bytes (websocket::errc::message_too_large beyond).
    [[nodiscard]] awaitable<Result<std::optional<Message>>> receive_message(std::size_t limit);

    /// One message in one frame. Waits for other senders and until the peer accepts it.
    [[nodiscard]] awaitable<Result<void>> send(websocket::Opcode opcode, ByteSpan payload);

    /// As send(), without a copy: `payload` is masked in place, and the header is written into the
    /// websocket::kMaxHeaderSize bytes before it, which must belong to the caller.
    [[nodiscard]] awaitable<Result<void>> send_in_place(websocket::Opcode opcode,
                                                        MutableByteSpan payload);

    /// Sends a frame that was gathered, and clears it. @see OutboundFrame
    [[nodiscard]] awaitable<Result<void>> send(OutboundFrame& frame);
    /// Sends it if the socket accepts all of it now. @return false if send() must be called with
    /// it.
    [[nodiscard]] bool try_send(OutboundFrame& frame);
    [[nodiscard]] OutboundFrame new_frame() const;

    /// Queues a Close (once; later calls do nothing). Data can't be sent after it.
    void send_close(std::uint16_t code, std::string_view reason);
    void send_ping();
    /// An unsolicited Pong: the keep-alive that Azure Relay tolerates (RFC 6455 section 5.5.3).
    void send_pong();

    /// Sends Close, waits until the peer has closed too or the time limit is reached; discards data
    /// meanwhile.
    [[nodiscard]] awaitable<void> close(std::uint16_t code, std::string_view reason,
                                        std::chrono::milliseconds limit);

    /// Makes pending and later operations fail.
    void interrupt();

    [[nodiscard]] bool close_sent() const;
    [[nodiscard]] const std::optional<websocket::ClosePayload>& close_received() const;
    /// When bytes last arrived; and whether the peer has ever sent a Ping.
    [[nodiscard]] Clock::time_point last_received() const;
    [[nodiscard]] bool peer_pings() const;
    [[nodiscard]] asio::any_io_executor executor() const;
    [[nodiscard]] Stream& stream();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace hpb::net
