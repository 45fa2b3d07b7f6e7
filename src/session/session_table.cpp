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
    return found == sessions_.end() ? nullptr : found->second.get();
}

std::variant<SessionTable::Admission, RefusedHelloFrame> SessionTable::admit(
    const HelloFrame& hello, const Nonce& nonce, Clock::time_point now) {
    if (!choose_version(hello.min_version, hello.version)) return refusal(HelloRefusal::version);
    Session* session = find(hello.session);
    const bool resumed = session != nullptr;
    if (session == nullptr) {
        if (hello.resume) return refusal(HelloRefusal::unknown_session);
        if (draining_) return refusal(HelloRefusal::shutting_down);
        if (sessions_.size() >= bounds_.max_sessions ||
            pool_->in_use() * pool_->slab_size() > bounds_.max_memory) {
            return refusal(HelloRefusal::too_many_sessions);
        }
        auto made = std::make_unique<Session>(
            Role::service, Identity{hello.session, hello.secret_or_proof}, limits_, *pool_, now);
        session = made.get();
        sessions_.emplace(hello.session, std::move(made));
    }
    if (const auto refused = session->admit(hello, nonce, listener_id_, now)) {
        if (!resumed) remove(hello.session);
        return refusal(*refused);
    }
    return Admission{.session = session, .channel = hello.channel, .resumed = resumed};
}

void SessionTable::sweep(Clock::time_point now, const std::function<void(Session&)>& ended) {
    for (auto entry = sessions_.begin(); entry != sessions_.end();) {
        Session& session = *entry->second;
        session.on_timeout(now);
        if (session.is_ended()) {
            ended(session);
            entry = sessions_.erase(entry);
        } else {
            ++entry;
        }
    }
}

}  // namespace hpb::session
