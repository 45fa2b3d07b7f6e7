#include "simulation/applications.hpp"

#include <algorithm>
#include <array>

namespace hpb::session::simulation {
namespace {

std::string of(StreamId id) {
    return " (stream " + std::to_string(id.value) + ")";
}

}  // namespace

void Applications::open(Session& session, int side, std::uint64_t to_write) {
    OpenInfo info;
    const auto opened = session.open(info);
    if (!opened) {
        const auto code = opened.error().code();
        require(code == make_error_code(errc::too_many_streams) ||
                    code == make_error_code(errc::ids_exhausted),
                "open: " + opened.error().message());
        return;
    }
    require(!all_.contains(opened->value), "a stream id was used twice" + of(*opened));
    Conversation& made = all_[opened->value];
    live_.push_back(opened->value);
    made.half[0].to_write = to_write;
    made.half[1].to_write = below(random_, to_write + 1);
    Half& mine = half(*opened, side);
    mine.exists = true;
    mine.accepted = true;
    made.stalled = chance(random_, 0.1);
}

// As write_some() does it, but into the session's own memory, and perhaps less than was asked for.
bool Applications::fill_some(Session& session, int side, StreamId id, std::uint64_t most) {
    Half& h = half(id, side);
    std::array<MutableByteSpan, 3> pieces;
    const std::size_t count = session.reserve(id, std::min(most, h.to_write - h.written), pieces);
    if (count == 0) {
        h.may_write = false;
        return false;
    }
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
        for (std::byte& byte : pieces[i]) byte = expected_byte(id, side == 0, h.written + size++);
    }
    require(size <= h.to_write - h.written, "more room than was asked for" + of(id));
    if (chance(random_, 0.3)) size = below(random_, size + 1);
    session.commit(id, size);
    h.written += size;
    return size > 0;
}

bool Applications::write_some(Session& session, int side, StreamId id, std::uint64_t most) {
    Half& h = half(id, side);
    if (h.finished || !h.may_write || h.written == h.to_write) return false;
    if (chance(random_, 0.5)) return fill_some(session, side, id, most);
    const Stream* stream = session.find_stream(id);
    require(stream != nullptr, "a stream is gone without a word" + of(id));
    // At most one more than will be taken: making bytes is what takes the time here.
    std::uint64_t room = stream->send.room() + 1;
    const bool asks = chance(random_, 0.5);
    if (asks) room = session.write_room(id);
    if (room == 0) {
        h.may_write = false;
        return false;
    }
    std::vector<std::byte> data(std::min({most, h.to_write - h.written, room}));
    for (std::size_t i = 0; i < data.size(); ++i) {
        data[i] = expected_byte(id, side == 0, h.written + i);
    }
    const auto taken = session.write(id, data);
    require(taken.has_value(), "write failed" + of(id));
    require(*taken <= data.size(), "write took more than there was" + of(id));
    require(!asks || *taken == data.size(), "write took less than it had room for" + of(id));
    h.written += *taken;
    h.may_write = *taken == data.size();
    return *taken > 0;
}

bool Applications::read_some(Session& session, int side, StreamId id, std::uint64_t most) {
    Half& h = half(id, side);
    if (!h.may_read) return false;
    std::array<HeldBytes, 8> pieces;
    const std::size_t n = session.read(id, pieces);
    require(n > 0, "told readable, but there is nothing to read" + of(id));
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < n && size < most; ++i) {
        for (const std::byte b : pieces[i].bytes) {
            if (size == most) break;
            if (b != expected_byte(id, side == 1, h.read + size)) {
                throw Violation("wrong byte delivered at " + std::to_string(h.read + size) +
                                of(id));
            }
            ++size;
        }
    }
    h.read += size;
    require(h.read <= other(id, side).written, "more was delivered than was sent" + of(id));
    bytes_read_ += size;
    h.may_read = false;  // the session says so again if there is more
    session.consumed(id, size, now_);
    return true;
}

bool Applications::finish(Session& session, int side, StreamId id) {
    Half& h = half(id, side);
    if (h.finished) return false;
    require(session.finish(id).has_value(), "finish failed" + of(id));
    h.finished = true;
    return true;
}

void Applications::reset(Session& session, int side, StreamId id) {
    on_end(side, id, End::reset_by_self);
    session.reset(id);
}

void Applications::answer_open(Session& session, int side, StreamId id, bool accept) {
    to_answer_.at(static_cast<std::size_t>(side)).erase(id.value);
    if (half(id, side).end != End::none) return;
    if (accept) {
        require(session.accept(id).has_value(), "accept failed" + of(id));
        half(id, side).accepted = true;
    } else {
        on_end(side, id, End::refused_by_self);
        require(session.refuse(id, OpenRefusal::unreachable, "no way").has_value(),
                "refuse failed" + of(id));
    }
}

void Applications::act(Session& session, int side) {
    if (session.is_ended()) return;
    auto& to_answer = to_answer_.at(static_cast<std::size_t>(side));
    if (!to_answer.empty() && chance(random_, 0.3)) {
        answer_open(session, side, {*to_answer.begin()}, chance(random_, 0.8));
        return;
    }
    if (live_.empty()) return;
    const StreamId id{live_[below(random_, live_.size())]};
    const Half& h = half(id, side);
    if (!h.exists || h.end != End::none) return;
    const std::uint64_t dice = below(random_, 100);
    if (dice < 45) {
        if (h.accepted) write_some(session, side, id, size_up_to(random_, 1 << 16));
    } else if (dice < 90) {
        if (!all_.at(id.value).stalled) {
            read_some(session, side, id, size_up_to(random_, 1 << 16));
        }
    } else if (dice < 93) {
        all_.at(id.value).stalled = chance(random_, 0.5);
    } else if (dice < 98) {
        if (h.accepted && (h.written == h.to_write || chance(random_, 0.2))) {
            finish(session, side, id);
        }
    } else if (chance(random_, 0.3)) {
        reset(session, side, id);
    }
}

bool Applications::settle(Session& session, int side) {
    if (session.is_ended()) return false;
    bool moved = false;
    auto& to_answer = to_answer_.at(static_cast<std::size_t>(side));
    while (!to_answer.empty()) {
        answer_open(session, side, {*to_answer.begin()}, true);
        moved = true;
    }
    const std::vector<std::uint32_t> now = live_;  // calls may end streams
    for (const std::uint32_t value : now) {
        const StreamId id{value};
        const Half& h = half(id, side);
        if (!h.exists || h.end != End::none || !h.accepted) continue;
        moved = write_some(session, side, id, 1 << 20) || moved;
        moved = read_some(session, side, id, 1 << 20) || moved;
        if (h.end == End::none && h.written == h.to_write) {
            moved = finish(session, side, id) || moved;
        }
        take_events(session, side);
    }
    return moved;
}

void Applications::on_end(int side, StreamId id, End end) {
    Half& h = half(id, side);
    require(h.exists, "a stream ended that was never opened" + of(id));
    require(h.end == End::none, "a stream ended twice" + of(id));
    h.end = end;
    h.may_read = false;
    if (other(id, side).end != End::none) std::erase(live_, id.value);
}

void Applications::on_event(Session& session, int side, const Event& event) {
    using Kind = Event::Kind;
    switch (event.kind) {
        case Kind::channel_open:
        case Kind::channel_refused:
        case Kind::channel_dead:
        case Kind::channel_drained:
            channel_events.at(static_cast<std::size_t>(side)).push_back(event);
            return;
        case Kind::ended:
            require(!ended_.at(static_cast<std::size_t>(side)), "a session ended twice");
            require(session_may_end_, std::string{"a session ended: "} + describe(event.code));
            require(session.is_ended(), "ended and lives on");
            ended_.at(static_cast<std::size_t>(side)) = true;
            for (auto& [value, c] : all_) {
                const Half& h = c.half.at(static_cast<std::size_t>(side));
                require(!h.exists || h.end != End::none,
                        "a session ended before its streams" + of({value}));
            }
            return;
        default:
            break;
    }
    const StreamId id = event.stream;
    require(all_.contains(id.value), "an event of a stream that was never opened" + of(id));
    Half& h = half(id, side);
    if (event.kind == Kind::opened) {
        require(!h.exists, "a stream was opened twice" + of(id));
        h.exists = true;
        to_answer_.at(static_cast<std::size_t>(side)).insert(id.value);
        return;
    }
    require(h.exists, "an event before the stream was opened" + of(id));
    // Reset by its own application meanwhile: events that were on their way mean nothing.
    if (h.end == End::reset_by_self || h.end == End::refused_by_self) return;
    require(h.end == End::none, "an event after the end" + of(id));
    const Half& peer = other(id, side);
    switch (event.kind) {
        case Kind::accepted:
            require(peer.accepted, "accepted by nobody" + of(id));
            return;
        case Kind::readable:
            h.may_read = true;
            return;
        case Kind::writable:
            h.may_write = true;
            return;
        case Kind::inbound_finished:
            require(!h.read_finished, "told the end twice" + of(id));
            require(peer.finished && h.read == peer.written,
                    "told the end before it was there" + of(id));
            h.read_finished = true;
            return;
        case Kind::closed:
            require(h.finished && h.read_finished, "closed before both ends were" + of(id));
            require(peer.end == End::closed || peer.end == End::none ||
                        peer.end == End::reset_by_self ||
                        (peer.end == End::reset && session_may_end_),
                    "closed here, and not there" + of(id));
            on_end(side, id, End::closed);
            return;
        case Kind::refused:
            require(peer.end == End::refused_by_self, "refused by nobody" + of(id));
            require(event.refusal == OpenRefusal::unreachable && event.text == "no way",
                    "the refusal's reason was lost" + of(id));
            on_end(side, id, End::refused);
            return;
        case Kind::reset:
            require(peer.end == End::reset_by_self || (session.is_ended() && session_may_end_) ||
                        (event.code == errc::session_expired && session_may_end_),
                    std::string{"reset by nobody: "} + describe(event.code) + of(id));
            on_end(side, id, End::reset);
            return;
        default:
            return;
    }
}

void Applications::take_events(Session& session, int side) {
    while (const auto event = session.next_event()) on_event(session, side, *event);
}

// What was granted stays granted when a window becomes smaller: but nothing is added to it then.
void Applications::check_window(const Stream& stream, int side, const Limits& limits) {
    Half& h = half(stream.id, side);
    const std::uint64_t window = stream.tuner.window();
    const std::uint64_t held = stream.receive.held();
    require(window <= limits.max_stream_window && window >= limits.stream_window / 4,
            "a window is larger or smaller than the limits allow" + of(stream.id));
    require(held <= std::max(window, h.window) || held <= h.held,
            "more is granted than the window allows" + of(stream.id));
    if (window > h.window && h.window > 0) ++grown_;
    h.window = window;
    h.held = held;
}

void Applications::check_credit(const Session& client, const Session& service,
                                const Limits& limits) {
    for (const std::uint32_t value : live_) {
        const Stream* a = client.find_stream({value});
        const Stream* b = service.find_stream({value});
        if (a == nullptr || b == nullptr) continue;
        if (a->state != Stream::State::live || b->state != Stream::State::live) continue;
        check_window(*a, 0, limits);
        check_window(*b, 1, limits);
        require(
            a->send.written() <= b->receive.granted() && b->send.written() <= a->receive.granted(),
            "more was written than credit allows" + of({value}));
        require(
            a->send.credit() <= b->receive.granted() && b->send.credit() <= a->receive.granted(),
            "a sender believes in credit that was not granted" + of({value}));
    }
}

void Applications::check_all_ended() const {
    for (const auto& [value, c] : all_) {
        for (const Half& h : c.half) {
            require(!h.exists || h.end != End::none,
                    "a stream did not end: written " + std::to_string(h.written) + " of " +
                        std::to_string(h.to_write) + ", read " + std::to_string(h.read) +
                        (h.finished ? ", finished" : "") + (h.may_write ? "" : ", waits") +
                        (h.may_read ? ", readable" : "") + of({value}));
        }
        const auto& [a, b] = c.half;
        if (a.end == End::closed && b.end == End::closed) {
            require(a.read == b.written && b.read == a.written,
                    "closed, and not everything arrived" + of({value}));
        }
    }
}

std::size_t Applications::count(End end) const {
    std::size_t n = 0;
    for (const auto& [value, c] : all_) {
        for (const Half& h : c.half) n += h.end == end ? 1 : 0;
    }
    return n;
}

}  // namespace hpb::session::simulation
