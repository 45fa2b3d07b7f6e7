#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>

#include "session/session.hpp"

namespace hpb::session {

/// The sessions of a service agent's listener: finds the one that a HELLO asks for, creates new
/// ones, and limits them in number, memory and time. Belongs to one thread, like its sessions.
class SessionTable {
public:
    struct Bounds {
        std::size_t max_sessions = 1024;
        /// Payload held by all sessions together; above it no new session is created. Each is
        /// bounded by its own limits in any case.
        std::size_t max_memory = std::size_t{512} * 1024 * 1024;
    };
    struct Admission {
        Session* session = nullptr;  ///< stays valid until its removal
        ChannelId channel;
        bool resumed = false;
        /// A session that was ended to make room: its owner releases and removes it.
        Session* given_up = nullptr;
    };
    /// No source may have more sessions than this many times what is free.
    static constexpr std::size_t kSourceFactor = 4;

    /// @param limits       of each session.
    /// @param listener_id  sent to clients, who name it when they resume.
    SessionTable(const Limits& limits, const Bounds& bounds, std::string listener_id,
                 SlabPool& pool);

    /// A channel has begun with `hello`. @param nonce  16 random bytes. @param source  who sends
    /// it: sources share the table. If there is no room, the youngest session without a channel
    /// that never had a stream is ended.
    /// @return its session, which has WELCOME to send; or the refusal to send before the channel is
    ///         closed.
    [[nodiscard]] std::variant<Admission, RefusedHelloFrame> admit(const HelloFrame& hello,
                                                                   const Nonce& nonce,
                                                                   Clock::time_point now,
                                                                   const std::string& source = "");
    /// The answer to a channel whose HelloReader failed.
    [[nodiscard]] static RefusedHelloFrame malformed();

    /// New sessions are refused from now on; resumed ones are not.
    void drain() { draining_ = true; }

    [[nodiscard]] Session* find(const SessionId& id);
    [[nodiscard]] std::size_t size() const { return sessions_.size(); }
    void remove(const SessionId& id);

    /// Advances time for every session; for a timer of about a second, which finds those that have
    /// expired. Calls `ended` for each session that is over, to take its last events and release
    /// its channels, and removes it.
    void sweep(Clock::time_point now, const std::function<void(Session&)>& ended);

private:
    struct Entry {
        std::unique_ptr<Session> session;
        std::string source;
        Clock::time_point began;
    };
    using Entries = std::unordered_map<SessionId, Entry>;

    [[nodiscard]] bool has_room(const std::string& source) const;
    [[nodiscard]] Session* give_up_one(const std::string& source);
    Entries::iterator erase(Entries::iterator entry);

    Limits limits_;
    Bounds bounds_;
    std::string listener_id_;
    SlabPool* pool_;
    bool draining_ = false;
    Entries sessions_;
    std::unordered_map<std::string, std::size_t> held_;  // by source
};

}  // namespace hpb::session
