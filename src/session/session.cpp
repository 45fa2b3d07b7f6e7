#include "session/session.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hpb::session {
namespace {

constexpr std::uint32_t kMaxIndices = 0x7fffffff;  // of streams of one side: 31 bits of id
constexpr std::uint32_t kFewUnused = 64;           // that are free of charge, whatever the limits
constexpr std::chrono::milliseconds kUnusedInterval{100};  // how often one stops counting
constexpr double kFewLost = 64;
constexpr std::chrono::seconds kWindowIsKnownFor{60};
constexpr std::chrono::milliseconds kLightIsRemembered{500};

std::uint32_t plus(std::uint32_t a, std::uint64_t b) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(a + b, kMaxIndices));
}

}  // namespace

Session::Session(Role role, const Identity& identity, const Limits& limits, SlabPool& pool,
                 Clock::time_point now)
    : role_(role),
      identity_(identity),
      limits_(limits.normalised()),
      pool_(&pool),
      other_light_(now - kLightIsRemembered),
      last_light_(other_light_),
      alone_since_(now),
      // A quarter of each budget is divided among both sides' streams as their own share; the rest
      // of the receive budget is granted while it lasts.
      send_budget_(limits_.send_budget / 2, limits_.send_budget / 4 / limits_.max_streams,
                   limits_.shared),
      receive_budget_(limits_.receive_budget / 2, limits_.initial_credit, limits_.shared),
      next_local_(limits_.first_stream_index),
      local_limit_(limits_.first_stream_index),
      next_peer_(limits_.first_stream_index),
      peer_limit_(plus(limits_.first_stream_index, limits_.max_streams)),
      unused_rate_(limits_.unused_streams_per_second,
                   std::max(kFewUnused, limits_.max_streams / 2)),
      lost_rate_(limits_.max_channels, 4.0 * limits_.max_channels + kFewLost) {}

// ---- streams

Stream* Session::find(StreamId stream) {
    const auto found = streams_.find(stream.value);
    return found == streams_.end() ? nullptr : found->second.get();
}

const Stream* Session::find_stream(StreamId stream) const {
    const auto found = streams_.find(stream.value);
    return found == streams_.end() ? nullptr : found->second.get();
}

Stream& Session::add_stream(StreamId id, bool local) {
    auto& slot = streams_[id.value];
    slot = std::make_unique<Stream>(
        id, local, WindowTuner{limits_.stream_window, limits_.max_stream_window}, *pool_);
    ++stats_.streams_opened;
    return *slot;
}

void Session::remove(Stream& stream) {
    send_budget_.shrink(stream.send.held(), 0);
    receive_budget_.shrink(stream.receive.held(), 0);
    if (SessionChannel* home = find(stream.home)) --home->streams;
    if (stream.local) {
        --local_streams_;
    } else if (stream.unused) {
        peer_stream_wasted();
    } else {
        peer_stream_ended();
    }
    streams_.erase(stream.id.value);  // its hooks take it out of every list
    feed_starved();
    wake_writers();
}

void Session::peer_stream_ended() {
    ++peer_ended_;
    const std::uint32_t limit =
        plus(limits_.first_stream_index, std::uint64_t{peer_ended_} + limits_.max_streams);
    const std::uint32_t more = limit - peer_limit_;
    // Raise the limit in steps of half of max_streams, except at the end of the id space.
    if (more == 0 || (more < (limits_.max_streams + 1) / 2 && limit < kMaxIndices)) return;
    peer_limit_ = limit;
    streams_due_ = true;
}

// A stream that ended unused may be part of an attack on the target: it counts as open until the
// rate limit allows for it.
void Session::peer_stream_wasted() {
    ++stats_.streams_unused;
    ++unused_;
}

void Session::settle_unused(Clock::time_point now) {
    for (; unused_ > 0 && unused_rate_.try_take(now); --unused_) peer_stream_ended();
    if (unused_ > 0) unused_time_ = now + kUnusedInterval;
}

void Session::remove_if_done(Stream& stream) {
    if (!stream.done()) return;
    stream.unused = stream.is_unused();
    tell(Event::Kind::closed, stream);
    if (!stream.peer_forgot) static_cast<void>(queue_closed(stream.id));
    remove(stream);
}

void Session::mark(Stream& stream, Stream::Dirty what) {
    if (stream.peer_forgot) return;
    stream.dirty = static_cast<std::uint8_t>(stream.dirty | what);
    wake(stream);
}

// Puts the stream into those lists of its channel in which it belongs.
void Session::wake(Stream& stream) {
    SessionChannel* home = find(stream.home);
    if (home == nullptr) return;
    if (stream.dirty != 0 && !stream.control_hook.is_linked()) home->control.push_back(stream);
    if (stream.has_data()) home->scheduler.activate(stream);
}

// Lets the peer send more, if the owner has consumed enough and the budget allows.
void Session::grant(Stream& stream) {
    const std::uint64_t wanted = stream.receive.wanted(stream.tuner.window());
    if (wanted == 0 || stream.state != State::live) return;
    const std::uint64_t held = stream.receive.held();
    // A stream below half of its own share always gets something, so none starves.
    const std::uint64_t least = std::min(wanted, (std::uint64_t{limits_.initial_credit} + 1) / 2);
    const std::uint64_t more = receive_budget_.grow(held, wanted, least);
    if (more > 0) {
        stream.receive.grant(more);
        mark(stream, Stream::kAck);
    }
    if (more >= wanted || stream.starved_hook.is_linked()) return;
    starved_.push_back(stream);
    ++stats_.memory_waits;
}

// Adapts the window to the path. Other streams reserve no credit for a window that has just grown:
// they begin small, and adopt its size as soon as a burst arrives for them.
void Session::tune(Stream& stream, std::size_t consumed, Clock::time_point now) {
    WindowTuner& tuner = stream.tuner;
    if (known_window_ > 0 && now - known_window_time_ > kWindowIsKnownFor) known_window_ = 0;
    const auto light = last_light_stream_ == stream.id ? other_light_ : last_light_;
    tuner.set_beside_light(now - light < kLightIsRemembered);
    tuner.expect(std::min(known_window_, receive_budget_.free() / 4));
    const std::uint64_t window = tuner.on_consumed(consumed, now, round_trip());
    look_whether_light(stream, now);
    if (window <= limits_.stream_window || window < known_window_) return;
    known_window_ = window;
    known_window_time_ = now;
}

// A new stream counts as light until it shows that it is not.
void Session::look_whether_light(const Stream& stream, Clock::time_point now) {
    const bool was_last = last_light_stream_ == stream.id;
    if (stream.tuner.is_light()) {
        if (!was_last) other_light_ = last_light_;
        last_light_ = now;
        last_light_stream_ = stream.id;
    } else if (was_last) {
        last_light_ = other_light_;
        last_light_stream_ = {};
    }
}

void Session::feed_starved() {
    // Each at most once: grant() re-queues those that are still short.
    StreamList<&Stream::starved_hook> hungry;
    hungry.swap(starved_);
    while (!hungry.empty()) {
        Stream& stream = hungry.front();
        hungry.pop_front();
        grant(stream);
    }
}

void Session::wake_writers() {
    StreamList<&Stream::waiting_hook> waiting;
    waiting.swap(waiting_);
    while (!waiting.empty()) {
        Stream& stream = waiting.front();
        waiting.pop_front();
        tell_writable(stream);
    }
}

std::uint64_t Session::writable_now(const Stream& stream) const {
    return std::min(stream.send.room(), send_budget_.room(stream.send.held()));
}

// Schedules a writable event: when there is credit, or when others release memory.
void Session::want_to_write(Stream& stream) {
    stream.wants_write = true;
    if (send_budget_.room(stream.send.held()) > 0 || stream.waiting_hook.is_linked()) return;
    waiting_.push_back(stream);
    ++stats_.memory_waits;
}

void Session::tell_writable(Stream& stream) {
    if (!stream.wants_write) return;
    if (writable_now(stream) == 0) {
        want_to_write(stream);
        return;
    }
    stream.wants_write = false;
    tell(Event::Kind::writable, stream);
}

void Session::tell_readable(Stream& stream) {
    if (stream.told_readable || stream.receive.readable() == 0) return;
    stream.told_readable = true;
    tell(Event::Kind::readable, stream);
}

void Session::tell_finished(Stream& stream) {
    if (stream.told_finished || !stream.receive.done()) return;
    stream.told_finished = true;
    tell(Event::Kind::inbound_finished, stream);
}

Result<StreamId> Session::open(const OpenInfo& info) {
    if (ended_) return errc::closed;
    if (next_local_ >= kMaxIndices) return errc::ids_exhausted;
    if (next_local_ >= local_limit_ || local_streams_ >= limits_.max_streams) {
        return errc::too_many_streams;
    }
    const StreamId id{2 * next_local_ + (role_ == Role::client ? 1 : 2)};
    ++next_local_;
    ++local_streams_;
    Stream& stream = add_stream(id, true);
    stream.info = info;
    stream.send.on_credit(peer_.initial_credit);
    stream.receive.grant(receive_budget_.grow(0, stream.tuner.window(), 0));
    stream.dirty = Stream::kOpen;
    rehome(stream);
    return id;
}

Result<void> Session::accept(StreamId id) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->local || stream->state != State::live) {
        return errc::no_such_stream;
    }
    stream->accepted = true;
    grant(*stream);
    mark(*stream, Stream::kOpened);
    return {};
}

Result<void> Session::refuse(StreamId id, OpenRefusal code, std::string_view text) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->local || stream->state != State::live) {
        return errc::no_such_stream;
    }
    if (stream->accepted) return errc::closed;
    ++stats_.streams_refused;
    stream->refusal = code;
    stream->text = printable(text, kMaxText);
    begin_end(*stream, State::refusing);
    return {};
}

Result<std::size_t> Session::write(StreamId id, ByteSpan data) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->state != State::live) return errc::no_such_stream;
    if (stream->send.finished()) return errc::closed;
    const std::uint64_t held = stream->send.held();
    const auto n = static_cast<std::size_t>(
        send_budget_.grow(held, std::min(std::uint64_t{data.size()}, stream->send.room()), 0));
    if (n > 0) {
        stream->send.write(data.first(n));
        wake(*stream);
    }
    if (n < data.size()) want_to_write(*stream);
    return n;
}

std::size_t Session::reserve(StreamId id, std::uint64_t size, std::span<MutableByteSpan> out) {
    const std::uint64_t room = write_room(id);
    if (room == 0) return 0;
    // Take the budget now: other threads use it too.
    Stream& stream = *find(id);
    reserved_ = send_budget_.grow(stream.send.held(), std::min(room, size), 0);
    if (reserved_ == 0) want_to_write(stream);
    return stream.send.reserve(reserved_, out);
}

void Session::commit(StreamId id, std::uint64_t size) {
    Stream* stream = find(id);
    if (stream == nullptr) return;
    const std::uint64_t held = stream->send.held();
    send_budget_.shrink(held + reserved_, held + size);
    reserved_ = 0;
    stream->send.commit(size);
    if (size > 0) wake(*stream);
}

std::uint64_t Session::write_room(StreamId id) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->state != State::live || stream->send.finished()) return 0;
    const std::uint64_t room = writable_now(*stream);
    if (room == 0) want_to_write(*stream);
    return room;
}

bool Session::all_acknowledged(StreamId id) const {
    const Stream* stream = find_stream(id);
    return stream == nullptr || stream->send.all_acked();
}

bool Session::inbound_finished(StreamId id) const {
    const Stream* stream = find_stream(id);
    return stream != nullptr && stream->receive.done();
}

Result<void> Session::finish(StreamId id) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->state != State::live) return errc::no_such_stream;
    if (stream->send.finished()) return errc::closed;
    stream->send.finish();
    stream->wants_write = false;
    wake(*stream);
    return {};
}

void Session::reset(StreamId id, errc code) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->state != State::live) return;
    ++stats_.streams_reset;
    stream->reset_code = code;
    begin_end(*stream, State::resetting);
}

// From here on the stream is only a small entry that tells the peer how it ended.
void Session::begin_end(Stream& stream, State state) {
    stream.unused = stream.is_unused();
    if (stream.peer_forgot) {  // the peer only knows that the stream is over
        remove(stream);
        return;
    }
    send_budget_.shrink(stream.send.held(), 0);
    receive_budget_.shrink(stream.receive.held(), 0);
    stream.send.drop();
    stream.receive.drop();
    Scheduler::remove(stream);
    for (ListHook* hook : {&stream.ack_hook, &stream.waiting_hook, &stream.starved_hook}) {
        if (hook->is_linked()) hook->unlink();
    }
    stream.state = state;
    stream.dirty = 0;  // RESET and REFUSED need no OPEN or ACK before them
    mark(stream, Stream::kEnd);
    feed_starved();
    wake_writers();
}

std::size_t Session::read(StreamId id, std::span<HeldBytes> out) const {
    const Stream* stream = find_stream(id);
    return stream == nullptr ? 0 : stream->receive.read(out);
}

void Session::consumed(StreamId id, std::size_t size, Clock::time_point now) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->state != State::live) return;
    const std::uint64_t held = stream->receive.held();
    const std::uint64_t used = receive_budget_.used();
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, stream->receive.readable()));
    stream->receive.consume(size);
    receive_budget_.shrink(held, stream->receive.held());
    stream->told_readable = false;
    tell_readable(*stream);
    tune(*stream, size, now);
    if (receive_budget_.used() < used) feed_starved();  // waiting streams come first
    grant(*stream);
    tell_finished(*stream);
    remove_if_done(*stream);
}

void Session::set_window(StreamId id, std::uint64_t window) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->state != State::live) return;
    const std::uint64_t fixed = std::max<std::uint64_t>(window, limits_.initial_credit);
    stream->tuner = WindowTuner{fixed, fixed};
    grant(*stream);
}

// ---- the session

std::size_t Session::stalled_streams() const {
    return static_cast<std::size_t>(
        std::count_if(streams_.begin(), streams_.end(), [](const auto& entry) {
            const Stream& stream = *entry.second;
            return stream.state == State::live && stream.wants_write && stream.send.room() == 0;
        }));
}

void Session::end(errc code) {
    if (!ended_) finish_session(code, code);
}

// Leaves only END_SESSION, if the peer must be told, and the events.
void Session::finish_session(errc told, errc wire) {
    ended_ = true;
    for (const auto& [id, stream] : streams_) {
        if (stream->state != State::live) continue;
        tell(Event::Kind::reset, *stream).code = told;
        ++stats_.streams_reset;
    }
    streams_.clear();
    for (const auto& channel : channels_) {
        channel->streams = 0;
        if (wire == errc::none || channel->state != SessionChannel::State::open) continue;
        if (channel->close_sent) continue;
        channel->outbox.append(
            encode(FrameType::end_session, {}, static_cast<std::uint16_t>(wire), describe(wire))
                .finish());
    }
    send_budget_.close();
    receive_budget_.close();
    ack_time_.reset();
    tell(Event::Kind::ended).code = told;
}

Event& Session::tell(Event::Kind kind) {
    Event& event = events_.emplace_back();
    event.kind = kind;
    return event;
}

Event& Session::tell(Event::Kind kind, const Stream& stream) {
    Event& event = tell(kind);
    event.stream = stream.id;
    return event;
}

std::optional<Event> Session::next_event() {
    if (next_event_ == events_.size()) {
        events_.clear();
        next_event_ = 0;
        return std::nullopt;
    }
    return std::move(events_[next_event_++]);
}

}  // namespace hpb::session
