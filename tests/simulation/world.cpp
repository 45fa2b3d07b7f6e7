#include "simulation/world.hpp"

#include <algorithm>

namespace hpb::session::simulation {
namespace {

constexpr std::size_t kMost = std::size_t{1} << 20;

template <std::size_t N>
void fill(Random& random, std::array<std::byte, N>& out) {
    for (auto& b : out) b = static_cast<std::byte>(random());
}

}  // namespace

World::World(std::uint64_t seed)
    : random_(seed),
      plan_(plan_of(random_)),
      shared_(plan_.shared),
      client_pool_(plan_.slab_size, 16),
      service_pool_(plan_.slab_size, 16),
      table_(limits(), {}, "listener", service_pool_),
      apps_(random_, now_) {
    fill(random_, identity_.id.bytes);
    fill(random_, identity_.secret);
    client_ = std::make_unique<Session>(Role::client, identity_, limits(), client_pool_, now_);
}

Nonce World::nonce() {
    Nonce out;
    fill(random_, out);
    return out;
}

Limits World::limits() {
    Limits out = plan_.limits;
    if (plan_.shared > 0) out.shared = &shared_;
    return out;
}

Link* World::any_link() {
    return links_.empty() ? nullptr : links_[below(random_, links_.size())].get();
}

void World::dial() {
    const auto channel = client_->attach(nonce(), now_);
    if (!channel) return;
    links_.push_back(std::make_unique<Link>());
    links_.back()->channel = *channel;
}

// Takes output of one end and puts some of it on the wire; any number of bytes.
void World::pull(Link& link, int side, std::size_t wanted) {
    Session* s = session(side);
    if (s == nullptr || link.cut || !link.holds.at(static_cast<std::size_t>(side))) return;
    const auto spans = s->pending_output(link.channel, wanted);
    Wire& wire = link.wire.at(static_cast<std::size_t>(side));
    std::size_t total = 0;
    for (const ByteSpan span : spans) total += span.size();
    const std::size_t size = chance(random_, calm_ ? 1 : 0.5) ? total : below(random_, total + 1);
    std::size_t left = size;
    for (const ByteSpan span : spans) {
        const ByteSpan part = span.first(std::min(left, span.size()));
        if (side == 0 && link.hello.size() < 112) {
            link.hello.insert(link.hello.end(), part.begin(), part.end());
        }
        if (!wire.black_hole) wire.bytes.insert(wire.bytes.end(), part.begin(), part.end());
        left -= part.size();
    }
    s->output_sent(link.channel, size);
}

// The service's end of a channel that has not greeted yet.
void World::greet(Link& link, std::size_t most) {
    Wire& wire = link.wire[0];
    const std::size_t size = std::min(most, wire.size());
    ByteSpan in = ByteSpan{wire.bytes}.subspan(wire.head, size);
    const auto hello = link.reader.next(in);
    wire.head += size - in.size();
    require(hello.has_value(), "HELLO could not be read");
    if (!*hello) return;
    const Session* known = session(1);
    const bool had = known != nullptr && !known->is_ended();
    const auto answer = table_.admit(**hello, nonce(), now_);
    if (const auto* refused = std::get_if<RefusedHelloFrame>(&answer)) {
        require(refused->code == HelloRefusal::unknown_session && !had,
                std::string{"a good HELLO was refused: "} + refused->text);
        auto frame = encode(*refused);
        const ByteSpan bytes = frame.finish();
        link.wire[1].bytes.insert(link.wire[1].bytes.end(), bytes.begin(), bytes.end());
        link.refused = true;
        return;
    }
    link.holds[1] = true;
    heard_.push_back(link.hello);
}

// Brings up to `most` bytes to the end `side`.
void World::deliver(Link& link, int side, std::size_t most) {
    Wire& wire = link.wire.at(static_cast<std::size_t>(1 - side));
    if (wire.size() == 0) return;
    if (!link.holds.at(static_cast<std::size_t>(side))) {
        if (side == 1 && !link.refused && !link.cut) greet(link, most);
        return;
    }
    Session* s = session(side);
    if (s == nullptr) return;
    if (s->find_channel(link.channel) == nullptr) {  // it gave way to a newer one
        cut(link);
        notice(link, side);
        return;
    }
    const std::size_t size = std::min(most, wire.size());
    const auto done =
        s->on_bytes(link.channel, ByteSpan{wire.bytes}.subspan(wire.head, size), now_);
    wire.head += size;
    if (wire.head == wire.bytes.size()) {
        wire.bytes.clear();
        wire.head = 0;
    }
    apps_.take_events(*s, side);
    if (done) return;
    const auto code = done.error().code();
    if (code == make_error_code(errc::session_ended)) return;
    require(code == make_error_code(errc::refused) && link.refused,
            "an end does not like what the other sent: " + done.error().message());
    cut(link);
    notice(link, 0);
    client_->end(errc::session_expired);  // as a client does when nobody knows its session
}

// The path breaks: what is on its way arrives up to some byte.
void World::cut(Link& link) {
    if (link.cut) return;
    link.cut = true;
    for (Wire& wire : link.wire) {
        if (chance(random_, 0.7)) wire.bytes.resize(wire.head + below(random_, wire.size() + 1));
    }
}

void World::notice(Link& link, int side) {
    if (!link.holds.at(static_cast<std::size_t>(side))) return;
    link.holds.at(static_cast<std::size_t>(side)) = false;
    if (Session* s = session(side)) {
        s->on_channel_lost(link.channel, now_);
        apps_.take_events(*s, side);
    }
}

// Somebody who has listened says a HELLO again.
void World::replay_hello() {
    if (heard_.empty()) return;
    HelloReader reader;
    ByteSpan in{heard_[below(random_, heard_.size())]};
    const auto hello = reader.next(in);
    if (!hello || !*hello) return;  // it went into a black hole half-way
    const std::size_t before = table_.size();
    const auto answer = table_.admit(**hello, nonce(), now_);
    const auto* refused = std::get_if<RefusedHelloFrame>(&answer);
    require(refused != nullptr, "a replayed HELLO was admitted");
    require(refused->code == (before == 0 ? HelloRefusal::unknown_session : HelloRefusal::replayed),
            "a replayed HELLO was refused for another reason: " + refused->text);
    ++outcome_.replays;
}

// Somebody who has not the secret tries to take the session over.
void World::guess_secret() {
    if (table_.size() == 0) return;
    HelloFrame hello;
    hello.session = identity_.id;
    hello.channel = {1'000'000 + below(random_, 1000)};
    hello.resume = chance(random_, 0.5);
    hello.parameters.max_frame = 65535;
    fill(random_, hello.nonce);
    fill(random_, hello.secret_or_proof);
    const auto answer = table_.admit(hello, nonce(), now_);
    const auto* refused = std::get_if<RefusedHelloFrame>(&answer);
    require(refused != nullptr && refused->code == HelloRefusal::bad_proof,
            "a HELLO without the secret was not refused for that");
}

void World::fault() {
    Link* link = any_link();
    const std::uint64_t dice = below(random_, 12);
    if (dice == 0) {
        replay_hello();
    } else if (dice == 1) {
        guess_secret();
    } else if (dice == 2) {
        pass_time(milliseconds{below(random_, 8000)});
    } else if (link == nullptr) {
        return;
    } else if (dice <= 4) {
        const int side = static_cast<int>(below(random_, 2));
        if (Session* s = session(side)) s->close_channel(link->channel);
    } else if (dice <= 6) {
        link->wire.at(below(random_, 2)).black_hole = true;
    } else {
        cut(*link);
    }
}

void World::step() {
    if (chance(random_, plan_.fault)) fault();
    if (chance(random_, links_.empty() ? 0.3 : 0.05)) dial();
    if (chance(random_, 0.1)) {
        const int side = plan_.service_opens && chance(random_, 0.3) ? 1 : 0;
        Session* s = session(side);
        if (s != nullptr && !s->is_ended() && !apps_.saw_ended(side)) {
            apps_.open(*s, side, size_up_to(random_, plan_.stream_bytes));
        }
    }
    for (int i = 0; i < 4; ++i) {
        const int side = static_cast<int>(below(random_, 2));
        if (Session* s = session(side)) {
            apps_.act(*s, side);
            apps_.take_events(*s, side);
        }
        if (Link* link = any_link()) {
            pull(*link, static_cast<int>(below(random_, 2)), size_up_to(random_, 1 << 16));
        }
        if (Link* link = any_link()) {
            deliver(*link, static_cast<int>(below(random_, 2)), size_up_to(random_, 1 << 16));
        }
    }
    if (chance(random_, 0.5)) pass_time(milliseconds{below(random_, 30)});
    take_events();
    for (const auto& link : links_) {
        for (int side = 0; side < 2; ++side) {
            // One direction that brings nothing is noticed some time, as a cut is.
            const bool broken = link->cut || link->wire[0].black_hole || link->wire[1].black_hole;
            if (broken && chance(random_, 0.1)) {
                cut(*link);
                notice(*link, side);
            }
        }
    }
    std::erase_if(links_, [](const auto& link) {
        return !link->holds[0] && !link->holds[1] && (link->cut || link->refused);
    });
}

void World::take_events() {
    for (int side = 0; side < 2; ++side) {
        if (Session* s = session(side)) apps_.take_events(*s, side);
        auto& events = apps_.channel_events.at(static_cast<std::size_t>(side));
        for (const Event& event : events) {
            for (const auto& link : links_) {
                if (link->channel != event.channel) continue;
                if (event.kind == Event::Kind::channel_drained) link->drained = true;
                if (event.kind == Event::Kind::channel_drained ||
                    event.kind == Event::Kind::channel_dead) {
                    cut(*link);
                    notice(*link, side);
                }
            }
        }
        events.clear();
    }
}

void World::pass_time(milliseconds by) {
    now_ += by;
    for (int side = 0; side < 2; ++side) {
        Session* s = session(side);
        if (s == nullptr) continue;
        if (const auto deadline = s->next_deadline(); deadline && *deadline <= now_) {
            s->on_timeout(now_);
            const auto next = s->next_deadline();
            require(!next || *next > now_, "a deadline does not go away");
        }
    }
    take_events();
}

// No more faults: everything has to come to its end.
void World::settle() {
    calm_ = true;
    for (const auto& link : links_) {
        if (link->cut || link->wire[0].black_hole || link->wire[1].black_hole) {
            cut(*link);
            notice(*link, 0);
            notice(*link, 1);
        }
    }
    unsigned idle = 0;
    for (unsigned round = 0; idle < 8; ++round) {
        require(round < 100'000, "it does not come to rest");
        bool moved = false;
        if (links_.empty() || chance(random_, 0.01)) dial();
        for (int side = 0; side < 2; ++side) {
            if (Session* s = session(side)) {
                moved = apps_.settle(*s, side) || moved;
                apps_.take_events(*s, side);
            }
        }
        for (std::size_t i = 0; i < links_.size(); ++i) {  // refused links cut themselves
            Link& link = *links_[i];
            for (int side = 0; side < 2; ++side) {
                pull(link, side, 1 << 16);
                moved = moved || link.wire.at(static_cast<std::size_t>(side)).size() > 0;
                deliver(link, 1 - side, kMost);
            }
        }
        take_events();
        std::erase_if(links_, [](const auto& link) {
            return link->cut && !link->holds[0] && !link->holds[1];
        });
        for (const auto& link : links_) {
            if (!link->cut) continue;
            notice(*link, 0);
            notice(*link, 1);
        }
        pass_time(milliseconds{26});
        check();
        idle = moved ? 0 : idle + 1;
    }
}

// Every channel is gone and none comes back within the grace time.
void World::expire() {
    apps_.may_expire();
    const bool now_alone = !client_->is_ended() && client_->has_open_channel();
    for (const auto& link : links_) {
        cut(*link);
        notice(*link, 0);
        notice(*link, 1);
    }
    links_.clear();
    const milliseconds grace = plan_.limits.grace;
    pass_time(grace - milliseconds{1});
    require(!now_alone || !client_->is_ended(), "expired before its time");
    pass_time(milliseconds{1});
    require(client_->is_ended() && apps_.saw_ended(0), "did not expire");
    table_.sweep(now_, [&](Session& s) { apps_.take_events(s, 1); });
    require(table_.size() == 0, "an expired session is still there");
    ++outcome_.expired;
}

Outcome World::run() {
    const unsigned end_at =
        plan_.ends ? static_cast<unsigned>(below(random_, plan_.steps)) : plan_.steps;
    for (unsigned i = 0; i < end_at; ++i) {
        step();
        check();
    }
    if (plan_.expires) {
        expire();
    } else if (plan_.ends) {
        apps_.may_expire();
        const int side = static_cast<int>(below(random_, 2));
        if (Session* s = session(side)) s->end();
        settle();
        // The other end may not have heard of it: then its time runs out.
        expire();
    } else {
        settle();
    }
    check_empty();
    outcome_.grown = apps_.grown();
    outcome_.shared = plan_.shared > 0 ? 1 : 0;
    outcome_.streams = apps_.all().size();
    outcome_.bytes = apps_.bytes_read();
    outcome_.losses = client_->stats().channels_lost;
    outcome_.resent = client_->stats().bytes_resent;
    outcome_.repeated = client_->stats().bytes_repeated;
    outcome_.closed = apps_.count(End::closed);
    outcome_.reset = apps_.count(End::reset);
    outcome_.refused = apps_.count(End::refused);
    return outcome_;
}

}  // namespace hpb::session::simulation
