#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/channel_registry.hpp"
#include "agent/tunnel_v1/connection.hpp"
#include "agent/tunnel_v1/idle_order.hpp"
#include "net/async_mutex.hpp"
#include "net/websocket/websocket.hpp"
#include "v1/frame.hpp"

namespace hpb::agent::tunnel_v1 {

/// One v1 channel: a rendezvous WebSocket with the TCP connections that share it. Common to both
/// ends: frames in and out, the limit on inbound bytes, keep-alive, the end. Who opens connections
/// and what a socket's end means differ: see ServiceChannel, ClientChannel.
///
/// Back-pressure: v1 has no flow control. When kMaxQueued inbound bytes wait for sockets that do
/// not accept them, the channel is not read until they do, which stops all its connections
/// (docs/protocol.md, "Limits of v1").
///
/// Lives on the thread of its WebSocket. Owned by its coroutines and its connections.
class Channel : public Stoppable, public std::enable_shared_from_this<Channel> {
public:
    /// Inbound bytes in memory per channel, plus what one read brings (net::Slab::kSize).
    static constexpr std::size_t kMaxQueued = 1024 * 1024;
    /// An unsolicited Pong keeps NATs and load balancers from dropping an idle channel.
    static constexpr std::chrono::seconds kKeepAlive{60};
    /// A peer that used to send Pings and has been silent for this long is gone.
    static constexpr std::chrono::seconds kPeerSilence{100};
    /// For the peer's answer to our Close.
    static constexpr std::chrono::seconds kCloseLimit{3};

    // RFC 6455 section 7.4.1.
    static constexpr std::uint16_t kNormalClosure = 1000;
    /// The Close reason of an agent that is stopped.
    static constexpr std::string_view kAgentStops = "the agent stops";
    static constexpr std::uint16_t kProtocolError = 1002;
    static constexpr std::uint16_t kPolicyViolation = 1008;
    static constexpr std::uint16_t kInternalError = 1011;

    struct Settings {
        std::string name;                         ///< for log lines
        std::chrono::seconds connection_idle{0};  ///< 0: never
        std::chrono::seconds unacknowledged{0};   ///< 0: never (VanishedPeer)
    };

    Channel(net::WebSocket websocket, Settings settings, std::shared_ptr<ChannelRegistry> registry);
    ~Channel() override;

    /// Starts serving the channel. @return false if the agent is stopping: drop the channel.
    [[nodiscard]] static bool start(const std::shared_ptr<Channel>& channel);

    /// Closes all connections cleanly, then the channel. Bounded in time.
    void shut_down() override;

    [[nodiscard]] net::asio::any_io_executor executor() const override {
        return websocket_.executor();
    }
    [[nodiscard]] bool open() const { return phase_ == Phase::open; }
    [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }

    // Called by connections.

    /// Waits until no other connection of this channel is reading and sending.
    [[nodiscard]] net::awaitable<void> take_turn() { return turn_.lock(); }
    void leave_turn() { turn_.unlock(); }
    /// Sends one frame, with its header, as one message. Room for WebSocket's header lies before
    /// it.
    [[nodiscard]] net::awaitable<Result<void>> send(MutableByteSpan frame);
    void on_queued(std::size_t bytes) { queued_ += bytes; }
    void on_consumed(std::size_t bytes);
    /// The connection's own socket has ended, for which v1 has no frame.
    [[nodiscard]] virtual net::awaitable<void> on_local_end(std::shared_ptr<Connection> connection,
                                                            LocalEnd end) = 0;

protected:
    using TimePoint = net::Clock::time_point;

    /// Bytes from the peer, in any chunking.
    virtual void on_bytes(ByteSpan bytes) = 0;
    /// Runs due timers. @return when the next one is due.
    [[nodiscard]] virtual TimePoint on_time(TimePoint now) = 0;
    /// A connection was given up. @param why  a clause for the log.
    virtual void on_given_up(const std::shared_ptr<Connection>& connection,
                             const std::string& why) = 0;
    /// Describes what is incomplete at the end of the peer's bytes, although it closed the channel
    /// cleanly; "": nothing.
    [[nodiscard]] virtual std::string missing_at_end() const = 0;
    /// The channel is over; its connections have been told.
    virtual void on_over(ChannelEnd how, const std::string& why) = 0;

    [[nodiscard]] std::shared_ptr<Connection> find(const v1::ConnectionId& id) const;
    void insert(const std::shared_ptr<Connection>& connection);
    /// The connection may be ended for being idle.
    void track(const std::shared_ptr<Connection>& connection) { idle_order_.insert(connection); }
    void forget(const v1::ConnectionId& id);
    [[nodiscard]] const auto& connections() const { return connections_; }
    /// The connection that has been idle for longest; nullptr if there is none.
    [[nodiscard]] std::shared_ptr<Connection> longest_idle() { return idle_order_.oldest(); }
    /// Ends all connections as at the channel's end.
    void end_connections(ChannelEnd how);

    /// Sends Close; no connection is started after it. A code other than kNormalClosure makes our
    /// client agent reset its applications (docs/protocol.md, "v1").
    void begin_close(std::uint16_t code, const std::string& reason);
    /// Lets on_time() run soon.
    void wake();
    [[nodiscard]] const std::string& name() const { return settings_.name; }
    [[nodiscard]] bool sent_any() const { return sent_any_; }

private:
    enum class Phase {
        open,
        closing,  ///< our Close is on its way; what still arrives is ignored
        over      ///< nothing more arrives; the connections have been told
    };
    /// Whether the channel is read: not while too much waits for its connections.
    enum class Reading { never_paused, paused, resumed };

    static net::awaitable<void> run(std::shared_ptr<Channel> self);
    static net::awaitable<void> watch(std::shared_ptr<Channel> self);
    [[nodiscard]] net::awaitable<ChannelEnd> read_until_end(std::string& why);
    [[nodiscard]] TimePoint keep_time(TimePoint now);
    [[nodiscard]] TimePoint end_idle_connections(TimePoint now);
    [[nodiscard]] TimePoint end_vanished_connections(TimePoint now);
    void give_up(const std::vector<std::shared_ptr<Connection>>& connections,
                 const std::string& why);

    net::WebSocket websocket_;
    Settings settings_;
    std::shared_ptr<ChannelRegistry> registry_;
    std::unordered_map<v1::ConnectionId, std::shared_ptr<Connection>> connections_;
    std::size_t most_connections_ = 0;
    IdleOrder idle_order_;
    net::AsyncMutex turn_;
    net::Signal room_;
    std::size_t queued_ = 0;
    net::Signal wake_;
    bool woken_ = false;
    bool sent_any_ = false;
    Phase phase_ = Phase::open;
    Reading reading_ = Reading::never_paused;
    TimePoint close_deadline_ = TimePoint::max();
    TimePoint next_pong_;
    TimePoint next_vanished_check_ = TimePoint::max();
    TimePoint reading_since_;  // when reading last resumed
};

}  // namespace hpb::agent::tunnel_v1
