#include "session/session_table.hpp"

#include <utility>

namespace hpb::session {
namespace {

RefusedHelloFrame refusal(HelloRefusal code) {
    RefusedHelloFrame frame;
    frame.code = code;
    frame.text = describe(code);
    return frame;
}

}  // namespace

SessionTable::SessionTable(const Limits& limits, const Bounds& bounds, std::string listener_id,
                           SlabPool& pool)
    : limits_(limits), bounds_(bounds), listener_id_(std::move(listener_id)), pool_(&pool) {}

RefusedHelloFrame SessionTable::malformed() {
    return refusal(HelloRefusal::malformed);
}

Session* SessionTable::find(const SessionId& id) {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : found->second.session.get();
}

std::variant<SessionTable::Admission, RefusedHelloFrame> SessionTable::admit(
    const HelloFrame& hello, const Nonce& nonce, Clock::time_point now, const std::string& source) {
    if (!choose_version(hello.min_version, hello.version)) return refusal(HelloRefusal::version);
    Session* session = find(hello.session);
    const bool resumed = session != nullptr;
    Session* given_up = nullptr;
    if (session == nullptr) {
        if (hello.resume) return refusal(HelloRefusal::unknown_session);
        if (draining_) return refusal(HelloRefusal::shutting_down);
        if (pool_->in_use() * pool_->slab_size() > bounds_.max_memory)
            return refusal(HelloRefusal::too_many_sessions);
        if (!has_room(source)) {
            given_up = give_up_one(source);
            if (given_up == nullptr) return refusal(HelloRefusal::too_many_sessions);
        }
        auto made = std::make_unique<Session>(
            Role::service, Identity{hello.session, hello.secret_or_proof}, limits_, *pool_, now);
        session = made.get();
        sessions_.emplace(hello.session, Entry{std::move(made), source, now});
        ++held_[source];
    }
    if (const auto refused = session->admit(hello, nonce, listener_id_, now)) {
        if (!resumed) remove(hello.session);
        return refusal(*refused);
    }
    return Admission{
        .session = session, .channel = hello.channel, .resumed = resumed, .given_up = given_up};
}

bool SessionTable::has_room(const std::string& source) const {
    if (sessions_.size() >= bounds_.max_sessions) return false;
    const auto held = held_.find(source);
    const std::size_t free = bounds_.max_sessions - sessions_.size();
    return held == held_.end() || held->second < kSourceFactor * free;
}

// The source's own session if it exceeds its share; any source's if the table is full.
Session* SessionTable::give_up_one(const std::string& source) {
    const bool full = sessions_.size() >= bounds_.max_sessions;
    Entry* youngest = nullptr;
    for (auto& [id, entry] : sessions_) {
        const Session& session = *entry.session;
        if (session.is_ended() || session.channel_count() > 0) continue;
        if (session.stats().streams_opened > 0 || (!full && entry.source != source)) continue;
        if (youngest == nullptr || entry.began > youngest->began) youngest = &entry;
    }
    if (youngest == nullptr) return nullptr;
    youngest->session->end(errc::session_expired);
    return youngest->session.get();
}

void SessionTable::remove(const SessionId& id) {
    const auto found = sessions_.find(id);
    if (found != sessions_.end()) erase(found);
}

SessionTable::Entries::iterator SessionTable::erase(Entries::iterator entry) {
    const auto held = held_.find(entry->second.source);
    if (--held->second == 0) held_.erase(held);
    return sessions_.erase(entry);
}

void SessionTable::sweep(Clock::time_point now, const std::function<void(Session&)>& ended) {
    for (auto entry = sessions_.begin(); entry != sessions_.end();) {
        Session& session = *entry->second.session;
        session.on_timeout(now);
        if (session.is_ended()) {
            ended(session);
            entry = erase(entry);
        } else {
            ++entry;
        }
    }
}

}  // namespace hpb::session
