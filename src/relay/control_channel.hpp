#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "net/signal.hpp"
#include "net/websocket/websocket.hpp"
#include "relay/registry.hpp"
#include "relay/relay_log.hpp"

namespace hpb::relay {

/// Verifies a renewed token for this listener (access.hpp).
using TokenCheck = std::function<Checked<Grant>(std::string_view token)>;

/// The log for a listener's connects and disconnects, and its address.
struct ListenerLog {
    std::shared_ptr<RelayLog> log;
    net::tcp::endpoint peer;
};

/// A listener's long-lived WebSocket: senders are announced on it, its token is renewed on it
/// (docs/protocol.md, "Control channel"). Lives on the thread that accepted it; announce(),
/// replace() and shut_down() may be called from any.
class ControlChannel : public std::enable_shared_from_this<ControlChannel> {
public:
    /// Announcements that wait for a listener to read; beyond that it is skipped.
    static constexpr std::size_t kMaxQueuedAnnouncements = 256;
    /// Longest message taken from a listener: more than any client sends here.
    static constexpr std::size_t kMaxMessage = 1024 * 1024;
    /// Time limit for the answer to the Ping of doubt().
    static constexpr std::chrono::seconds kDoubtLimit{5};

    /// @param instance  the listener's Hpb-Instance, or "" (docs/protocol.md, "The same listener
    /// again").
    /// @param keep_alive  what the answer to the upgrade agrees to (docs/protocol.md, "Keep-alive
    /// of a control channel"); 0: nothing.
    ControlChannel(net::WebSocket socket, Registry& registry, std::shared_ptr<Entity> entity,
                   const config::RelayOptions& options, std::string id, std::string instance,
                   std::string public_base, Grant grant, TokenCheck check_token,
                   std::chrono::seconds keep_alive, ListenerLog log);

    /// The listener's sb-hc-id, as affinity headers name it.
    [[nodiscard]] const std::string& id() const { return id_; }
    /// True if `other` is a newer control channel of the same process.
    [[nodiscard]] bool is_succeeded_by(const ControlChannel& other) const {
        return !instance_.empty() && instance_ == other.instance_;
    }
    /// True while it must prove that it is alive: see doubt().
    [[nodiscard]] bool doubted() const { return doubted_; }
    /// Scheme, host and port at the beginning of its rendezvous addresses.
    [[nodiscard]] const std::string& public_base() const { return public_base_; }

    /// Answers the upgrade with `response` and serves the channel until it ends. Registered with
    /// the entity before, on this thread and without a pause between, so that nothing is announced
    /// ahead of the answer; removed after.
    [[nodiscard]] net::awaitable<void> run(std::string response);

    /// The connection, for an answer other than run()'s.
    [[nodiscard]] net::Stream& stream() { return socket_.stream(); }

    /// Sends a control message about `sender`, which is told that the listener is lost if the
    /// channel has ended or its queue is full (kMaxQueuedAnnouncements). If sending fails later,
    /// the channel ends, and the senders that wait for this listener are told.
    void announce(std::string message, std::shared_ptr<PendingSender> sender);

    /// Ends the channel because its listener has opened another one: it is asked to close, and
    /// disconnected if it does not. Senders that wait for this listener are told.
    void replace();

    /// Another listener has registered with the same id, so this one may be left over from a lost
    /// connection: it is sent a Ping, and disconnected if nothing comes back within kDoubtLimit.
    /// Meanwhile senders go to others.
    void doubt();

    /// Closes the channel with a code and reason of the relay's own.
    void shut_down(std::uint16_t code, std::string reason);

private:
    static net::awaitable<void> send_announcement(std::shared_ptr<ControlChannel> self,
                                                  std::string message);
    static net::awaitable<void> watch(std::shared_ptr<ControlChannel> self);
    static net::awaitable<void> resolve_doubt(std::shared_ptr<ControlChannel> self);
    static net::awaitable<void> end_replaced(std::shared_ptr<ControlChannel> self);
    [[nodiscard]] std::chrono::milliseconds ping_interval() const;
    [[nodiscard]] std::chrono::milliseconds longest_silence() const;
    [[nodiscard]] net::awaitable<Result<void>> receive_all();
    void on_message(const std::string& text);
    void renew(const std::string& token);
    /// Ends a channel that has not answered a Close in time.
    void cut();
    [[nodiscard]] std::string describe(std::string_view sentence) const;

    net::WebSocket socket_;
    Registry& registry_;
    std::shared_ptr<Entity> entity_;
    const config::RelayOptions& options_;
    std::string id_;
    std::string instance_;
    std::string public_base_;
    Grant grant_;
    TokenCheck check_token_;
    std::chrono::seconds keep_alive_;
    ListenerLog log_;
    net::Signal ended_signal_;
    bool ended_ = false;
    bool replaced_ = false;
    std::atomic<bool> doubted_{false};  // written on its thread, read under the Registry's mutex
    std::size_t queued_announcements_ = 0;
};

}  // namespace hpb::relay
