#include "relay/rendezvous.hpp"

#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::relay {
namespace {

using websocket::Opcode;

constexpr int kMissedPings = 3;
/// Longer than the kernel's longest pause between probes of a window that is closed (120 s).
constexpr std::chrono::seconds kAcknowledgementSilence{150};
constexpr std::chrono::seconds kGracefulClose{5};

}  // namespace

Rendezvous::Leg::Leg(const net::asio::any_io_executor& executor, End end)
    : stream(net::Stream::attach(executor, std::move(end.connection))),
      ticket(std::move(end.ticket)),
      early(std::move(end.early)),
      visit(std::move(end.visit)),
      writer(stream, websocket::Role::server) {}

Rendezvous::Rendezvous(const net::asio::any_io_executor& executor, End sender, End listener,
                       const config::RelayOptions& options)
    : options_(options),
      sender_(executor, std::move(sender)),
      listener_(executor, std::move(listener)),
      changed_(executor) {}

void Rendezvous::start(const net::asio::any_io_executor& executor, End sender, End listener,
                       const config::RelayOptions& options) {
    net::spawn(executor, run(executor, std::move(sender), std::move(listener), options));
}

net::awaitable<void> Rendezvous::run(net::asio::any_io_executor executor, End sender, End listener,
                                     const config::RelayOptions& options) {
    const auto self =
        std::make_shared<Rendezvous>(executor, std::move(sender), std::move(listener), options);
    net::spawn(executor, pump_and_report(self, self->sender_, self->listener_));
    net::spawn(executor, pump_and_report(self, self->listener_, self->sender_));
    net::spawn(executor, watch(self));
    while (self->pumps_running_ > 0) co_await self->changed_.wait();
    self->done_ = true;
    self->changed_.notify_all();
    if (self->lost_) co_return;
    co_await self->finish(self->sender_);
    co_await self->finish(self->listener_);
}

void Rendezvous::interrupt() {
    lost_ = true;
    if (sender_.visit) sender_.visit->lost();
    for (Leg* leg : {&sender_, &listener_}) {
        leg->stream.reset_on_close();
        leg->stream.interrupt();
    }
}

net::awaitable<void> Rendezvous::pump_and_report(std::shared_ptr<Rendezvous> self, Leg& from,
                                                 Leg& to) {
    const Ended ended = co_await self->pump(from, to);
    // A connection that ends without a Close must not look like a clean end on the other side: no
    // Close frame, and RST where the system allows it (docs/protocol.md, "Abnormal loss").
    if (ended == Ended::by_loss && !self->lost_) self->interrupt();
    --self->pumps_running_;
    self->changed_.notify_all();
}

net::awaitable<bool> Rendezvous::fill(Leg& from, net::Slab& slab, MutableByteSpan& bytes) {
    if (!from.early.empty()) {
        slab = net::Slab::take();
        bytes = slab.span().first(std::min(from.early.size(), net::Slab::kSize));
        std::copy_n(from.early.begin(), bytes.size(), bytes.begin());
        from.early.erase(from.early.begin(),
                         from.early.begin() + static_cast<std::ptrdiff_t>(bytes.size()));
        from.early.shrink_to_fit();
        co_return true;
    }
    // While it was not read it could not show signs of life: the silence counts from here.
    from.waiting_to_read = true;
    from.last_received = net::Clock::now();
    const auto read = co_await from.stream.read_some(slab);
    from.waiting_to_read = false;
    if (!read || *read == 0) co_return false;
    bytes = slab.span().first(*read);
    from.last_received = net::Clock::now();
    co_return true;
}

net::awaitable<Rendezvous::Ended> Rendezvous::pump(Leg& from, Leg& to) {
    for (;;) {
        net::Slab slab;
        MutableByteSpan bytes;
        const bool more = co_await fill(from, slab, bytes);
        if (!more) co_return Ended::by_loss;
        for (;;) {
            const auto step = from.transcoder.next(bytes);
            if (!step) {
                fail(from, to, step.error());
                co_return Ended::by_loss;
            }
            if (step->kind == Transcoder::Step::Kind::need_more) break;
            if (step->kind == Transcoder::Step::Kind::output) {
                const auto written = co_await to.writer.write(step->output);
                if (!written) co_return Ended::by_loss;
                continue;
            }
            if (const auto valid = on_control(from, to, *step); !valid) {
                fail(from, to, valid.error());
                co_return Ended::by_loss;
            }
            if (from.closed) co_return Ended::by_close;
        }
    }
}

Result<void> Rendezvous::on_control(Leg& from, Leg& to, const Transcoder::Step& step) {
    if (step.opcode == Opcode::ping) {
        send_control(from, Opcode::pong, step.payload);
    } else if (step.opcode == Opcode::close) {
        const auto close = websocket::parse_close_payload(step.payload);
        if (!close) return close.error();
        from.closed = true;
        send_control(to, Opcode::close, step.payload);
        if (!first_close_) first_close_ = net::Clock::now();
        changed_.notify_all();
    }
    return {};
}

void Rendezvous::send_control(Leg& leg, Opcode opcode, ByteSpan payload) {
    if (leg.writer.queue_control(opcode, payload)) {
        net::spawn(leg.stream.executor(), flush(shared_from_this(), leg));
    }
}

net::awaitable<void> Rendezvous::flush(std::shared_ptr<Rendezvous>, Leg& leg) {
    (void)co_await leg.writer.flush();
}

// A side that breaks the protocol is told so; the other side sees the loss.
void Rendezvous::fail(Leg& culprit, Leg& other, const Error& error) {
    const std::string payload =
        websocket::encode_close_payload(websocket::close_code_for(error), error.message());
    send_control(culprit, Opcode::close, as_bytes(payload));
    culprit.stream.shutdown_send();
    other.stream.reset_on_close();
    other.stream.interrupt();
    lost_ = true;
    culprit.stream.interrupt();
}

// Both Closes are passed on: let the last bytes arrive before the connection goes.
net::awaitable<void> Rendezvous::finish(Leg& leg) {
    net::Deadline deadline(leg.stream, kGracefulClose);
    co_await leg.writer.idle();
    if (deadline.expired()) ops::reached(ops::Limit::undelivered_ends);
    co_await leg.stream.close_gracefully(kGracefulClose);
}

void Rendezvous::check_liveness(Leg& leg) {
    // A side whose application has stopped reading answers no Ping and is alive all the same:
    // back-pressure, not death. Its kernel acknowledges what we send, so only both silences
    // together mean that it is gone.
    const auto silence = net::Clock::now() - leg.last_received;
    const bool silent = leg.waiting_to_read && silence > options_.ping_interval * kMissedPings;
    if (silent && leg.stream.since_last_acknowledgement() > kAcknowledgementSilence) {
        ops::reached(ops::Limit::silent_rendezvous);
        leg.stream.interrupt();
    } else if (!leg.closed) {
        send_control(leg, Opcode::ping, {});
    } else if (leg.stream.is_lost()) {
        // Nothing is read from or sent to it any more, so nothing else would show it.
        interrupt();
    }
}

/// When the side that has not closed yet is given up. It may be working on a long answer, and it
/// need not answer Pings (a .NET WebSocket that has received a Close does not): who is dead is
/// known by TCP, and this limit is for what TCP cannot tell.
net::Clock::time_point Rendezvous::close_deadline() const {
    auto deadline = net::Clock::time_point::max();
    for (const Leg* leg : {&sender_, &listener_}) {
        if (leg->closed || !leg->waiting_to_read) continue;
        deadline = std::min(
            deadline, std::max(*first_close_, leg->last_received) + options_.half_close_timeout);
    }
    return deadline;
}

net::awaitable<void> Rendezvous::watch(std::shared_ptr<Rendezvous> self) {
    auto next_ping = net::Clock::now() + self->options_.ping_interval;
    while (!self->done_) {
        auto until = next_ping;
        if (self->first_close_) until = std::min(until, self->close_deadline());
        (void)co_await self->changed_.wait_until(until);
        if (self->done_) co_return;
        const auto now = net::Clock::now();
        if (self->first_close_ && now >= self->close_deadline()) {
            ops::reached(ops::Limit::silent_half_closes);
            ops::log_info("relay",
                          "ended a half-closed connection: its open side was silent for {} s "
                          "(HalfCloseTimeoutSeconds)",
                          self->options_.half_close_timeout.count());
            self->interrupt();
            co_return;
        }
        if (now < next_ping) continue;
        next_ping = now + self->options_.ping_interval;
        self->check_liveness(self->sender_);
        self->check_liveness(self->listener_);
    }
}

}  // namespace hpb::relay
