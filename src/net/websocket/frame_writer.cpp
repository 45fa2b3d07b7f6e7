#include "net/websocket/frame_writer.hpp"

#include "net/websocket/mask_keys.hpp"

namespace hpb::net {
namespace {

const Error kClosing{asio::error::shut_down, "the WebSocket is closing"};

}  // namespace

FrameWriter::FrameWriter(Stream& stream, websocket::Role role)
    : stream_(stream), role_(role), turn_(stream.executor()) {}

awaitable<Result<void>> FrameWriter::write(ByteSpan frames) {
    co_await turn_.lock();
    if (close_queued_ || failed_) {
        turn_.unlock();
        co_return kClosing;
    }
    co_return co_await write_rest(frames);
}

std::optional<std::size_t> FrameWriter::try_write(ByteSpan frames) {
    if (busy() || close_queued_ || failed_ || !control_.empty()) return std::nullopt;
    const auto written = stream_.try_write(frames);
    failed_ = !written;
    if (failed_) return std::nullopt;
    if (*written < frames.size() || stream_.has_unsent()) turn_.take();
    return *written;
}

awaitable<Result<void>> FrameWriter::write_rest(ByteSpan frames) {
    auto result = co_await stream_.write(frames);
    if (result && !control_.empty()) result = co_await write_pending_control();
    failed_ = failed_ || !result;
    turn_.unlock();
    co_return result;
}

bool FrameWriter::queue_control(websocket::Opcode opcode, ByteSpan payload) {
    if (close_queued_ || failed_) return false;
    if (opcode == websocket::Opcode::close) {
        close_queued_ = true;
    } else if (control_.size() + payload.size() + websocket::kMaxHeaderSize > kMaxPendingControl) {
        return false;  // the peer does not read; it gets an answer to a later Ping
    }
    control_ += websocket::encode_control(opcode, payload, role_, next_mask_key());
    if (busy()) return false;  // whoever is writing sends it too
    const auto written = stream_.try_write(as_bytes(control_));
    if (!written) {
        failed_ = true;
        return false;
    }
    control_.erase(0, *written);
    if (control_.empty() && !stream_.has_unsent()) return false;
    turn_.take();  // held for flush(): nothing may come between the parts of a frame
    return true;
}

awaitable<Result<void>> FrameWriter::flush() {
    auto result = co_await write_pending_control();
    failed_ = failed_ || !result;
    turn_.unlock();
    co_return result;
}

awaitable<Result<void>> FrameWriter::write_pending_control() {
    while (!control_.empty()) {
        // Taken out first: more may be queued while this waits.
        const std::string frames = std::exchange(control_, std::string());
        const auto written = co_await stream_.write(as_bytes(frames));
        if (!written) co_return written.error();
    }
    if (stream_.has_unsent()) co_return co_await stream_.write({});
    co_return Result<void>();
}

}  // namespace hpb::net
