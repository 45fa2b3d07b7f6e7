#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/async_mutex.hpp"
#include "net/stream.hpp"
#include "websocket/frame.hpp"

namespace hpb::net {

/// The sending half of a WebSocket connection: serialises data frames of several coroutines and
/// lets control frames in between. Bound: kMaxPendingControl bytes of control frames, no data.
///
/// The owner keeps writer and stream alive (shared_from_this of its state) while `flush` runs.
class FrameWriter {
public:
    /// A Ping flood is answered by the latest Pongs that fit (RFC 6455 section 5.5.3 asks for the
    /// last one).
    static constexpr std::size_t kMaxPendingControl = 1024;

    FrameWriter(Stream& stream, websocket::Role role);

    /// Writes whole frames, in turn. Fails once Close has been queued.
    [[nodiscard]] awaitable<Result<void>> write(ByteSpan frames);

    /// Writes as much as the socket accepts now, if nothing is queued before.
    /// @return bytes accepted, or nullopt: nothing was done; call write(), which also returns any
    /// error. If busy() afterwards, write_rest() must follow, and nothing is written in between.
    [[nodiscard]] std::optional<std::size_t> try_write(ByteSpan frames);
    /// @param frames  what try_write() has not accepted; may be empty.
    [[nodiscard]] awaitable<Result<void>> write_rest(ByteSpan frames);

    /// Queues a control frame behind the frame that is being written, and writes it now if none is.
    /// @return true if flush() must be run to send it.
    [[nodiscard]] bool queue_control(websocket::Opcode opcode, ByteSpan payload);

    /// Writes queued control frames, waiting as long as it takes.
    [[nodiscard]] awaitable<Result<void>> flush();

    [[nodiscard]] bool close_queued() const { return close_queued_; }
    [[nodiscard]] bool busy() const { return turn_.locked(); }
    /// Waits until no write is under way.
    [[nodiscard]] awaitable<void> idle() { return turn_.wait_until_free(); }

private:
    [[nodiscard]] awaitable<Result<void>> write_pending_control();

    Stream& stream_;
    websocket::Role role_;
    AsyncMutex turn_;  // of those who write
    bool close_queued_ = false;
    bool failed_ = false;
    std::string control_;  // encoded frames, the first possibly sent in part
};

}  // namespace hpb::net
