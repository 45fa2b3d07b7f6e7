#include "agent/tunnel_v1/connection.hpp"

#include <algorithm>

#include "agent/tunnel_v1/channel.hpp"
#include "net/slab.hpp"
#include "net/socket_options.hpp"
#include "ops/limits.hpp"

namespace hpb::agent::tunnel_v1 {
namespace {

using net::asio::post;

/// Once a channel is over, a peer of ours that does not take what is left for it is not waited for.
constexpr std::chrono::seconds kDeliverLimit{10};
/// After our FIN: long enough for the other side to read all and close.
constexpr std::chrono::seconds kFinLimit{2};
/// Before a reset, which discards what the kernel has not sent.
constexpr std::chrono::milliseconds kDrainLimit{1000};
constexpr std::chrono::milliseconds kDrainPoll{20};
/// Written at once, so that room for the channel's next bytes appears in steps.
constexpr std::size_t kWriteStep = 64 * 1024;

}  // namespace

Connection::Connection(std::shared_ptr<Channel> channel, const v1::ConnectionId& id, Place place)
    : channel_(std::move(channel)),
      id_(id),
      place_(std::move(place)),
      changed_(channel_->executor()),
      begun_(net::Clock::now()),
      last_activity_(begun_),
      last_inbound_(begun_) {}

Connection::~Connection() {
    drop_queue();
}

void Connection::hold(Place place) {
    if (!over_) place_ = std::move(place);
}

void Connection::keep(std::shared_ptr<const void> token) {
    if (!over_ && !channel_end_) token_ = std::move(token);
}

bool Connection::all_taken() {
    return stream_ && !write_failed_ && queue_.empty() && !writing_ && stream_->all_sent();
}

void Connection::attach(net::Stream stream) {
    if (over_) return;
    stream_.emplace(std::move(stream));
    net::set_connection_options(stream_->descriptor());
    last_activity_ = net::Clock::now();
    if (channel_end_) deadline_.emplace(*stream_, kDeliverLimit);
    net::spawn(channel_->executor(), read_loop(shared_from_this()));
    net::spawn(channel_->executor(), write_loop(shared_from_this()));
}

void Connection::deliver(ByteSpan payload) {
    if (over_ || write_failed_) return;
    talk_ = Talk::inbound;
    inbound_bytes_ += payload.size();
    last_activity_ = last_inbound_ = net::Clock::now();
    if (stream_ && queue_.empty() && !writing_) {
        const auto written = stream_->try_write(payload);
        if (!written) return fail_writing();
        payload = payload.subspan(*written);
    }
    if (!payload.empty()) enqueue(payload);
}

void Connection::enqueue(ByteSpan payload) {
    queue_.append(as_text(payload));
    counted_ += payload.size();
    channel_->on_queued(payload.size());
    changed_.notify_all();
}

void Connection::drop_queue() {
    queue_.clear();
    queue_.shrink_to_fit();
    channel_->on_consumed(std::exchange(counted_, 0));
}

void Connection::fail_writing() {
    // The socket is half dead; what it still has to say is read until its end shows there.
    write_failed_ = true;
    drop_queue();
    changed_.notify_all();
}

void Connection::on_channel_end(ChannelEnd how) {
    if (over_ || channel_end_) return;
    channel_end_ = how;
    token_.reset();
    if (stream_) deadline_.emplace(*stream_, kDeliverLimit);
    changed_.notify_all();
}

void Connection::close() {
    if (std::exchange(over_, true)) return;
    place_ = {};
    token_.reset();
    drop_queue();
    changed_.notify_all();
    if (!stream_) return;
    stream_->cancel();
}

void Connection::abort() {
    if (over_) return;
    if (stream_) stream_->reset_on_close();
    close();
}

net::awaitable<void> Connection::linger(std::chrono::milliseconds linger) {
    const auto ended = net::Clock::now();
    while (!over_ && !write_failed_ && !channel_end_) {
        const auto until = std::max(ended, last_inbound_) + linger;
        const bool delivered = queue_.empty() && !writing_;
        if (delivered && net::Clock::now() >= until) break;
        if (delivered) {
            (void)co_await changed_.wait_until(until);
        } else {
            co_await changed_.wait();
        }
    }
}

net::awaitable<void> Connection::read_loop(std::shared_ptr<Connection> self) {
    const LocalEnd end = co_await self->forward_until_end();
    if (!self->over_ && !self->channel_end_) co_await self->channel_->on_local_end(self, end);
    if (end == LocalEnd::reset) self->close();
}

net::awaitable<LocalEnd> Connection::forward_until_end() {
    for (;;) {
        // What close() cancels is a wait that is under way, not the next one.
        if (over_) co_return LocalEnd::reset;
        const auto ready = co_await stream_->wait_readable();
        if (!ready || over_) co_return LocalEnd::reset;
        const auto end = co_await forward_once();
        if (end) co_return *end;
        // Others of this thread get their turn even if this socket never runs dry.
        co_await post(channel_->executor(), net::asio::use_awaitable);
    }
}

net::awaitable<std::optional<LocalEnd>> Connection::forward_once() {
    std::optional<LocalEnd> end;
    // Whoever waits for the channel holds no buffer: only the one whose turn it is reads.
    const bool has_turn = !channel_end_;
    if (has_turn) co_await channel_->take_turn();
    if (over_) {
        end = LocalEnd::reset;
    } else {
        // Head room: the frame's header is written right before the payload, WebSocket's before it.
        const net::Slab slab = net::Slab::take();
        const auto read = stream_->try_read(slab.span().first(v1::kMaxSentPayload));
        if (!read) {
            if (read.error().code() != net::asio::error::would_block) end = LocalEnd::reset;
        } else if (*read == 0) {
            end = LocalEnd::eof;
        } else if (!channel_end_) {
            talk_ = Talk::unanswered;
            last_activity_ = net::Clock::now();
            std::byte* frame = slab.data() - v1::kFrameHeaderSize;
            v1::encode_frame_header(frame, id_, *read);
            const MutableByteSpan message(frame, v1::kFrameHeaderSize + *read);
            // A failure shows as the channel's end; what is read after that is thrown away.
            (void)co_await channel_->send(message);
        }
    }
    if (has_turn) channel_->leave_turn();
    co_return end;
}

net::awaitable<void> Connection::write_loop(std::shared_ptr<Connection> self) {
    for (;;) {
        while (self->queue_.empty() && !self->over_ && !self->channel_end_ && !self->write_failed_)
            co_await self->changed_.wait();
        if (self->over_ || self->write_failed_) co_return;
        if (self->queue_.empty()) break;
        const bool written = co_await self->write_queue();
        if (!written) {
            if (self->deadline_ && self->deadline_->expired())
                ops::reached(ops::Limit::undelivered_ends);
            self->fail_writing();
            co_return;
        }
    }
    co_await self->finish_after_channel();
}

net::awaitable<bool> Connection::write_queue() {
    const std::string batch = std::exchange(queue_, std::string());
    writing_ = true;
    bool ok = true;
    for (std::size_t done = 0; ok && done < batch.size();) {
        const ByteSpan step =
            as_bytes(batch).subspan(done).first(std::min(kWriteStep, batch.size() - done));
        const auto written = co_await stream_->write(step);
        ok = written.has_value() && !over_;
        if (!ok) break;
        done += step.size();
        counted_ -= step.size();
        channel_->on_consumed(step.size());
        last_activity_ = last_inbound_ = net::Clock::now();
    }
    writing_ = false;
    changed_.notify_all();
    co_return ok;
}

net::awaitable<void> Connection::finish_after_channel() {
    if (*channel_end_ == ChannelEnd::clean) {
        // The reader goes on and discards until the other end closes too, so that no reset
        // overtakes what was delivered.
        stream_->shutdown_send();
        deadline_.emplace(*stream_, kFinLimit);
        co_return;
    }
    const auto limit = net::Clock::now() + kDrainLimit;
    while (!over_ && !stream_->all_sent() && net::Clock::now() < limit) {
        co_await net::sleep_for(kDrainPoll);
    }
    if (!over_ && !stream_->all_sent()) ops::reached(ops::Limit::undelivered_ends);
    abort();
}

}  // namespace hpb::agent::tunnel_v1
