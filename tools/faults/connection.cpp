#include "faults/connection.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cstdio>

#include "base/text.hpp"
#include "net/dial/dial.hpp"
#include "net/socket_options.hpp"

namespace hpb::faults {
namespace {

constexpr auto kNever = Clock::time_point::max();
constexpr std::chrono::seconds kCutLimit{10};
constexpr std::chrono::seconds kDeliveryLimit{1};
constexpr std::chrono::milliseconds kDeliveryPoll{1};
// Reads after which other connections of the thread get their turn.
constexpr int kReadTurn = 4;

}  // namespace

Connection::Connection(std::shared_ptr<LinkState> link, net::Stream client)
    : link_(std::move(link)),
      executor_(client.executor()),
      halves_{Half(executor_), Half(executor_)},
      life_(executor_),
      accepted_at_(Clock::now()) {
    net::set_connection_options(client.descriptor());
    ends_[kClient] = std::move(client);
}

void Connection::start() {
    ++link_->open;
    if (link_->mode == Mode::blackholed) has_hole_ = true;
    net::spawn(executor_, watch(shared_from_this(), kClient));
    net::spawn(executor_, run(shared_from_this()));
}

bool Connection::is_swallowing(Way way) const {
    return cut_ || link_->mode == Mode::blackholed || broken_[destination_of(way)];
}

awaitable<void> Connection::sleep(net::asio::steady_timer& timer, Clock::time_point until) {
    timer.expires_at(until);
    co_await timer.async_wait(net::kAsTuple);
}

awaitable<bool> Connection::reach_target() {
    const auto arrival = accepted_at_ + lane(Way::to_target).settings.delay;
    while (!over_ && !has_hole_ && (is_stalled() || Clock::now() < arrival)) {
        const auto until = is_stalled() ? kNever : arrival;
        co_await sleep(life_, until);
    }
    if (over_ || has_hole_) co_return false;
    net::DialOptions plain;
    auto dialled = co_await net::dial(link_->target.host, link_->target.port, plain);
    if (over_) {  // reset meanwhile, and the target is to see that too
        if (dialled && !cut_) dialled->reset_on_close();
        co_return false;
    }
    if (dialled) {
        link_->dial_failing = false;
        net::set_connection_options(dialled->descriptor());
        ends_[kTarget] = std::move(*dialled);
        co_return true;
    }
    ++link_->unreached;
    if (!std::exchange(link_->dial_failing, true)) {
        fmt::print(stderr, "hpb-faults: {}\n", dialled.error().message());
    }
    // The refusal comes back over the path.
    on_lost(kTarget);
    co_return true;
}

awaitable<void> Connection::run(std::shared_ptr<Connection> self) {
    const bool reached = co_await self->reach_target();
    if (self->over_) co_return;
    const auto answered = self->accepted_at_ + self->link_->round_trip();
    const auto& executor = self->executor_;
    net::spawn(executor, read(self, Way::to_target, answered));
    if (!reached) co_return;  // a black hole: the client speaks to nobody
    net::spawn(executor, write(self, Way::to_client));
    if (!self->ends_[kTarget]) co_return;
    const auto open = answered + self->lane(Way::to_target).settings.delay;
    net::spawn(executor, watch(self, kTarget));
    net::spawn(executor, read(self, Way::to_client, open));
    net::spawn(executor, write(self, Way::to_target));
}

awaitable<void> Connection::watch(std::shared_ptr<Connection> self, Side side) {
    auto& stream = *self->ends_[side];
    (void)co_await stream.wait(net::Stream::Until::failed);
    if (self->over_) co_return;
    pollfd state{.fd = stream.descriptor(), .events = 0, .revents = 0};
    if (::poll(&state, 1, 0) > 0 && (state.revents & POLLERR) != 0) self->on_error(side);
}

awaitable<void> Connection::read(std::shared_ptr<Connection> self, Way way,
                                 Clock::time_point from) {
    Half& half = self->half(way);
    while (!self->over_ && Clock::now() < from) co_await self->sleep(half.reader_wake, from);
    const Side side = source_of(way);
    int turn = 0;
    while (!self->over_ && !self->ended_[side]) {
        co_await self->read_once(way);
        if (++turn % kReadTurn == 0) co_await net::give_way();
    }
}

/// @return when to read how many bytes (at most).
Clock::time_point Connection::room_at(Way way, std::size_t& bytes) {
    Half& h = half(way);
    const Lane& l = lane(way);
    const auto now = Clock::now();
    bytes = std::min(bytes, l.throttle.quantum(bytes));
    if (is_swallowing(way)) return now;
    const std::uint64_t buffer = l.settings.buffer_size();
    // Wait for a good piece of room, not for every byte.
    if (h.bytes.size() + std::min<std::uint64_t>(bytes, buffer) > buffer) {
        h.reader_waits_for_room = true;
        give_up_if_stuck(way);
        return kNever;
    }
    return l.throttle.admission(now, bytes, l.settings.queue_size());
}

awaitable<void> Connection::read_once(Way way) {
    Half& h = half(way);
    std::size_t bytes = net::Slab::kSize;
    const auto when = is_stalled() ? kNever : room_at(way, bytes);
    if (over_) co_return;
    if (when > Clock::now()) {
        co_await sleep(h.reader_wake, when);
        h.reader_waits_for_room = false;
        co_return;
    }
    auto& stream = *ends_[source_of(way)];
    const auto room = h.bytes.room();
    const auto got = stream.try_read(room.first(std::min(bytes, room.size())));
    const bool keep = got && !is_swallowing(way);
    h.bytes.commit(keep ? *got : 0);
    if (!got && got.error().code() == net::asio::error::would_block) {
        (void)co_await stream.wait_readable();
    } else if (!got || (*got == 0 && broken_[source_of(way)])) {
        on_lost(source_of(way));
    } else if (*got == 0) {
        on_fin(way);
    } else if (keep) {
        received(way, *got);
    } else {
        swallow(*got);
    }
}

void Connection::received(Way way, std::size_t bytes) {
    Half& h = half(way);
    const auto now = Clock::now();
    h.schedule.push(bytes, lane(way).throttle.pass(now, bytes) + lane(way).settings.delay);
    if (h.writer_blocked) return;
    // The straight way: what is due is written here, without waking the writer.
    Clock::time_point when = kNever;
    const auto drained = drain(way, when);
    if (over_) return;
    if (drained == Drained::blocked || (drained == Drained::later && when < h.writer_deadline)) {
        h.writer_wake.cancel();
    }
}

void Connection::swallow(std::size_t bytes) {
    link_->swallowed += bytes;
    if (link_->mode == Mode::blackholed) has_hole_ = true;
}

awaitable<void> Connection::write(std::shared_ptr<Connection> self, Way way) {
    Half& half = self->half(way);
    while (!self->over_) {
        Clock::time_point when = kNever;
        const auto drained = self->drain(way, when);
        if (self->over_) co_return;
        if (drained == Drained::blocked) {
            half.writer_blocked = true;
            self->give_up_if_stuck(way);
            if (self->over_) co_return;
            (void)co_await self->ends_[destination_of(way)]->wait_writable();
            half.writer_blocked = false;
        } else {
            half.writer_deadline = when;
            co_await self->sleep(half.writer_wake, when);
        }
    }
}

/// Writes what is due, as far as the socket takes it.
/// @param when  for Drained::later: when there is more to do.
Connection::Drained Connection::drain(Way way, Clock::time_point& when) {
    Half& h = half(way);
    if (is_stalled() || broken_[destination_of(way)] || !ends_[destination_of(way)]) {
        return Drained::idle;
    }
    const auto now = Clock::now();
    bool full = false;
    while (!over_ && !full && !h.schedule.empty() && h.allowance != 0u) {
        const auto front = h.bytes.front().size();
        auto due = static_cast<std::size_t>(h.schedule.due(now, front));
        if (due == 0) {
            when = h.schedule.next();
            return Drained::later;
        }
        if (h.allowance) due = static_cast<std::size_t>(std::min<std::uint64_t>(due, *h.allowance));
        full = !pass_front(way, due);
    }
    if (over_ || h.allowance == 0u || broken_[destination_of(way)]) return Drained::idle;
    // A reset overtakes what the other end does not take; anything else waits for its turn.
    if (h.end == End::none || h.end_sent || (full && h.end == End::fin)) {
        return full ? Drained::blocked : Drained::idle;
    }
    if (h.end_release > now) {
        when = h.end_release;
        return Drained::later;
    }
    pass_end(way);
    return Drained::idle;
}

/// @return false if the socket is full, or gone.
bool Connection::pass_front(Way way, std::size_t bytes) {
    Half& h = half(way);
    const auto written = ends_[destination_of(way)]->try_write(h.bytes.front().first(bytes));
    if (!written) {
        on_error(destination_of(way));
        return false;
    }
    h.bytes.consume(*written);
    h.schedule.consume(*written);
    lane(way).bytes += *written;
    if (h.reader_waits_for_room) h.reader_wake.cancel();
    if (h.allowance) {
        *h.allowance -= *written;
        if (*h.allowance == 0) {
            net::spawn(executor_, reset_when_delivered(shared_from_this(), way));
        }
    }
    return *written == bytes;
}

void Connection::pass_end(Way way) {
    Half& h = half(way);
    if (h.end == End::reset) {
        reset();
        return;
    }
    h.end_sent = true;
    ends_[destination_of(way)]->shutdown_send();
    if (std::ranges::all_of(halves_, &Half::end_sent)) finish();
}

// A reset throws away what the socket has not sent yet, so the bytes have to be there first.
awaitable<void> Connection::reset_when_delivered(std::shared_ptr<Connection> self, Way way) {
    const auto limit = Clock::now() + kDeliveryLimit;
    while (!self->over_ && Clock::now() < limit) {
        if (self->ends_[destination_of(way)]->all_sent()) break;
        co_await self->sleep(self->life_, Clock::now() + kDeliveryPoll);
    }
    self->reset();
}

void Connection::on_fin(Way way) {
    ended_[source_of(way)] = true;
    Half& h = half(way);
    if (is_swallowing(way)) {
        // An end that a black hole has swallowed: the other side never hears of it.
        if (link_->mode == Mode::blackholed) has_hole_ = true;
        const bool both_ended = !ends_[kTarget] || (ended_[kClient] && ended_[kTarget]);
        if (both_ended && (cut_ || has_hole_)) finish();
        return;
    }
    h.end = End::fin;
    h.end_release = std::max(Clock::now() + lane(way).settings.delay, h.schedule.last());
    h.writer_wake.cancel();
}

/// A side has reset its connection. What it sent before that is still to be read, and the error
/// comes again behind it, unless the write that found it has used it up.
void Connection::on_error(Side side) {
    if (over_ || std::exchange(broken_[side], true)) return;
    const Way from = side == kClient ? Way::to_target : Way::to_client;
    discard(side == kClient ? Way::to_client : Way::to_target);
    if (ended_[side]) return on_lost(side);
    half(from).reader_wake.cancel();
    give_up_if_stuck(from);
}

/// Of a side that has reset its connection, what the other side has no room for never arrives.
void Connection::give_up_if_stuck(Way way) {
    const Side side = source_of(way);
    if (broken_[side] && !ended_[side] && half(way).reader_waits_for_room &&
        half(way).writer_blocked) {
        on_lost(side);
    }
}

/// A side's reset, behind all that it sent, or a target that can't be reached: the other side hears
/// of it after the delay.
void Connection::on_lost(Side side) {
    if (over_) return;
    broken_[side] = true;
    ended_[side] = true;
    const Way from = side == kClient ? Way::to_target : Way::to_client;
    const Side other = destination_of(from);
    const bool nobody_left = ended_[other] && broken_[other];
    const bool nobody_there = !ends_[other];  // a black hole
    if (nobody_left || nobody_there || (cut_ && ended_[other])) return finish();
    if (cut_ || link_->mode == Mode::blackholed) {
        has_hole_ = true;
    } else {
        Half& h = half(from);
        h.end = End::reset;
        h.end_sent = false;
        h.end_release = std::max(Clock::now() + lane(from).settings.delay, h.schedule.last());
        if (h.writer_blocked)
            net::spawn(executor_, reset_although_blocked(shared_from_this(), from));
    }
    wake();
}

// The writer waits for a socket that may never have room again, so its timer is free.
awaitable<void> Connection::reset_although_blocked(std::shared_ptr<Connection> self, Way way) {
    Half& half = self->half(way);
    while (!self->over_ && half.writer_blocked && half.end == End::reset) {
        const bool stalled = self->is_stalled();
        if (!stalled && half.end_release <= Clock::now()) co_return self->pass_end(way);
        co_await self->sleep(half.writer_wake, stalled ? kNever : half.end_release);
    }
}

void Connection::discard(Way way) {
    Half& h = half(way);
    link_->swallowed += h.bytes.size();
    h.bytes.clear();
    h.schedule.clear();
}

void Connection::enter_blackhole() {
    for (const Way way : kWays) {
        Half& h = half(way);
        if (h.bytes.size() > 0 || (h.end != End::none && !h.end_sent)) has_hole_ = true;
        discard(way);
        if (!h.end_sent) h.end = End::none;
    }
    if (!ends_[kTarget]) has_hole_ = true;
    wake();
}

void Connection::reset() {
    for (auto& end : ends_) {
        if (end && !over_) end->reset_on_close();
    }
    finish();
}

void Connection::cut() {
    if (over_ || cut_) return;
    cut_ = true;
    for (const Way way : kWays) {
        discard(way);
        half(way).end = End::none;
        if (auto& end = ends_[destination_of(way)]) end->shutdown_send();
    }
    if (!ends_[kTarget] || (ended_[kClient] && ended_[kTarget])) return finish();
    net::spawn(executor_, limit_cut(shared_from_this()));
    wake();
}

awaitable<void> Connection::limit_cut(std::shared_ptr<Connection> self) {
    const auto limit = Clock::now() + kCutLimit;
    while (!self->over_ && Clock::now() < limit) co_await self->sleep(self->life_, limit);
    self->finish();
}

void Connection::truncate(Way way, std::uint64_t bytes) {
    if (bytes == 0) return reset();
    half(way).allowance = bytes;
}

void Connection::wake() {
    for (auto& half : halves_) {
        half.reader_wake.cancel();
        half.writer_wake.cancel();
    }
    life_.cancel();
}

void Connection::finish() {
    if (std::exchange(over_, true)) return;
    --link_->open;
    for (const Way way : kWays) discard(way);
    for (auto& end : ends_) {
        if (end) end->close();
    }
    wake();
}

}  // namespace hpb::faults
