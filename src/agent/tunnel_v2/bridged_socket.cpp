#include "agent/tunnel_v2/bridged_socket.hpp"

#include <array>
#include <utility>

#include "agent/tunnel_v2/session_driver.hpp"
#include "ops/limits.hpp"

namespace hpb::agent::tunnel_v2 {
namespace {

namespace asio = net::asio;

/// Bytes of one socket after which the others of this thread get their turn.
constexpr std::size_t kReadTurn = 256 * 1024;
/// Room for one read: grows while reads fill it, so that a keystroke takes no more than a slab.
constexpr std::uint32_t kLeastRead = 4 * 1024;
constexpr std::uint32_t kMostRead = 256 * 1024;
constexpr std::size_t kPieces = 17;  // slabs of one read or write: kMostRead, begun within a slab
/// A reset discards what is on its way, as TCP's does; but what had left a direct connection's
/// sender before its reset would have arrived, so it is waited for, up to this long.
constexpr std::chrono::milliseconds kDeliverLimit{1000};
constexpr std::chrono::milliseconds kPoll{10};

}  // namespace

BridgedSocket::BridgedSocket(SessionDriver& driver, session::StreamId stream, net::Stream socket,
                             Place place)
    : driver_(&driver),
      stream_(stream),
      expected_(kLeastRead),
      socket_(std::move(socket)),
      place_(std::move(place)),
      last_activity_(net::Clock::now()) {}

void BridgedSocket::start(const std::shared_ptr<SessionDriver>& driver) {
    // Not at once: the caller has not finished with the stream.
    asio::post(driver->executor(), [self = shared_from_this(), driver] {
        if (self->is_over()) return;
        self->write_more();
        // The end may have come while the target was being dialled, when nobody was here to hear
        // it.
        if (!self->is_over() && driver->core().inbound_finished(self->stream_))
            self->on_inbound_finished();
        self->read_more();
        driver->pump();
    });
}

// ---- socket to stream

void BridgedSocket::read_more() {
    if (phase_ != Phase::open || reading_ != Reading::idle) return;
    const auto driver = driver_->shared_from_this();  // reading may end this socket
    std::size_t turn = 0;
    while (read_once(turn)) {
        if (turn < kReadTurn) continue;
        // The others' turn; meanwhile this one waits for bytes that are there.
        reading_ = Reading::for_bytes;
        asio::post(driver_->executor(), [self = shared_from_this(), driver] {
            self->reading_ = Reading::idle;
            self->read_more();
        });
        break;
    }
    driver->pump();  // what it said last, too
}

// @return false if there is nothing more to do now.
bool BridgedSocket::read_once(std::size_t& turn) {
    auto& core = driver_->core();
    std::array<MutableByteSpan, kPieces> pieces;
    const std::size_t count = core.reserve(stream_, expected_, pieces);
    if (count == 0) {
        reading_ = Reading::for_credit;
        watch_for_reset();
        return false;
    }
    std::array<iovec, kPieces> vectors;
    std::size_t room = 0;
    for (std::size_t i = 0; i < count; ++i) {
        vectors[i] = {pieces[i].data(), pieces[i].size()};
        room += pieces[i].size();
    }
    const auto read = socket_.try_read_vector(std::span(vectors).first(count));
    const std::size_t size = read ? *read : 0;
    core.commit(stream_, size);
    if (size > 0) {
        last_activity_ = net::Clock::now();
        turn += size;
        if (size == room) {
            expected_ = std::min(2 * expected_, kMostRead);
            return true;
        }
        // The socket is empty, or will say that it is not.
        if (size < expected_ / 4) expected_ = std::max(expected_ / 2, kLeastRead);
        wait_for_bytes();
        return false;
    }
    if (read) {
        on_local_end();
    } else if (read.error().code() == asio::error::would_block) {
        wait_for_bytes();
    } else {
        on_local_reset();
    }
    return false;
}

void BridgedSocket::wait_for_bytes() {
    reading_ = Reading::for_bytes;
    socket_.async_wait(
        net::Stream::Until::readable,
        [self = shared_from_this(), driver = driver_->shared_from_this()](net::error_code) {
            if (self->is_over()) return;
            self->reading_ = Reading::idle;
            self->read_more();
        });
}

void BridgedSocket::on_writable() {
    if (reading_ != Reading::for_credit) return;
    reading_ = Reading::idle;
    read_more();
}

void BridgedSocket::on_local_end() {
    if (!driver_->core().finish(stream_)) {
        reading_ = Reading::done;
        return;
    }
    reading_ = Reading::for_end;
    watch_for_reset();
}

// A socket that is not being read can still be reset, and its other end is to know at once; unless
// both have had their end already.
void BridgedSocket::watch_for_reset() {
    const bool both_over = inbound_over_ && reading_ == Reading::for_end;
    if (both_over || std::exchange(watching_, true)) return;
    socket_.async_wait(
        net::Stream::Until::failed,
        [self = shared_from_this(), driver = driver_->shared_from_this()](net::error_code failed) {
            self->watching_ = false;
            if (self->is_over() || failed) return;
            if (!self->socket_.take_error())
                return;  // urgent data, or both directions have ended in order
            self->on_local_reset();
            driver->pump();
        });
}

void BridgedSocket::on_local_reset() {
    if (phase_ != Phase::open) return;
    phase_ = Phase::resetting;
    const auto driver = driver_->shared_from_this();
    if (driver->core().all_acknowledged(stream_)) {
        driver->core().reset(stream_);
        release(driver);
        return;
    }
    net::spawn(driver->executor(), reset_when_delivered(shared_from_this(), driver));
}

net::awaitable<void> BridgedSocket::reset_when_delivered(Self self,
                                                         std::shared_ptr<SessionDriver> driver) {
    const auto limit = net::Clock::now() + kDeliverLimit;
    while (!self->is_over() && !driver->core().all_acknowledged(self->stream_) &&
           net::Clock::now() < limit) {
        co_await net::sleep_for(kPoll);
    }
    if (self->is_over()) co_return;
    if (!driver->core().all_acknowledged(self->stream_)) ops::reached(ops::Limit::undelivered_ends);
    driver->core().reset(self->stream_);
    self->release(driver);
    driver->pump();
}

// ---- stream to socket

void BridgedSocket::on_readable() {
    write_more();
}

void BridgedSocket::write_more() {
    std::array<session::HeldBytes, kPieces> pieces;
    std::array<iovec, kPieces> vectors;
    auto& core = driver_->core();
    while (phase_ == Phase::open && !write_blocked_) {
        const std::size_t count = core.read(stream_, pieces);
        if (count == 0) return;
        std::size_t offered = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const ByteSpan bytes = pieces[i].bytes;
            vectors[i] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
            offered += bytes.size();
        }
        const auto sent = socket_.try_write_vector(std::span(vectors).first(count));
        if (!sent && sent.error().code() != asio::error::would_block) return on_local_reset();
        const std::size_t written = sent ? *sent : 0;
        if (written > 0) {
            const auto now = net::Clock::now();
            last_activity_ = now;
            core.consumed(stream_, written, now);
        }
        if (written < offered) wait_for_room();
    }
}

void BridgedSocket::wait_for_room() {
    write_blocked_ = true;
    socket_.async_wait(
        net::Stream::Until::writable,
        [self = shared_from_this(), driver = driver_->shared_from_this()](net::error_code) {
            self->write_blocked_ = false;
            if (self->is_over()) return;
            self->write_more();
            driver->pump();
        });
}

void BridgedSocket::on_inbound_finished() {
    inbound_over_ = true;
    socket_.shutdown_send();
}

// ---- the end

// Both directions are over, and everything was written.
void BridgedSocket::on_closed() {
    release(driver_->shared_from_this());
}

void BridgedSocket::on_reset() {
    if (std::exchange(phase_, Phase::over) == Phase::over) return;
    socket_.cancel();
    net::spawn(socket_.executor(), close_with_reset(shared_from_this()));
}

// What was written before the reset is not to be discarded with it.
net::awaitable<void> BridgedSocket::close_with_reset(Self self) {
    const auto limit = net::Clock::now() + kDeliverLimit;
    while (!self->socket_.all_sent() && net::Clock::now() < limit) {
        co_await net::sleep_for(kPoll);
    }
    if (!self->socket_.all_sent()) ops::reached(ops::Limit::undelivered_ends);
    self->socket_.reset_on_close();
}

bool BridgedSocket::has_vanished(net::Clock::time_point now, std::chrono::seconds limit) {
    // What was sent long ago has been settled one way or the other.
    const bool settled = !write_blocked_ && now - last_activity_ > 3 * limit;
    return !is_over() && !settled && vanished_.has_vanished(socket_, now, limit);
}

void BridgedSocket::abort() {
    const auto driver = driver_->shared_from_this();
    driver->core().reset(stream_);
    driver->forget(stream_);
    on_reset();
}

// The socket needs nothing more: it closes when the last pending operation lets go of it.
void BridgedSocket::release(const std::shared_ptr<SessionDriver>& driver) {
    phase_ = Phase::over;
    socket_.cancel();
    driver->forget(stream_);
}

}  // namespace hpb::agent::tunnel_v2
