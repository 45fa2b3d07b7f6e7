#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "agent/channel_registry.hpp"
#include "agent/place.hpp"
#include "agent/session_metrics.hpp"
#include "agent/tunnel_v2/bridged_socket.hpp"
#include "agent/tunnel_v2/session_link.hpp"
#include "session/session.hpp"

namespace hpb::agent::tunnel_v2 {

/// Drives one v2 session (docs/session-protocol.md): feeds it with input from channels and sockets
/// and with the time, and carries out its events. Common to both ends; who dials channels and what
/// a new stream means differ: see ClientSession, ServiceSession.
///
/// Lives on one thread, with its channels and its sockets, which are owned by it and by their
/// pending operations.
class SessionDriver : public Stoppable, public std::enable_shared_from_this<SessionDriver> {
public:
    struct Settings {
        std::string name;                         ///< for log lines: the mapping or the entity
        const char* component = "session";        ///< for log lines
        std::chrono::seconds connection_idle{0};  ///< 0: never
        std::chrono::seconds unacknowledged{0};   ///< 0: never (VanishedPeer)
    };

    SessionDriver(const net::asio::any_io_executor& executor, Settings settings,
                  std::shared_ptr<ChannelRegistry> registry,
                  std::shared_ptr<SessionMetrics> metrics);
    ~SessionDriver() override;

    [[nodiscard]] net::asio::any_io_executor executor() const override { return executor_; }
    /// Ends the session: both ends reset its connections. On its thread.
    void shut_down() override;

    /// For log lines, at both ends the same: "3f2a90c1" and "3f2a90c1/17".
    [[nodiscard]] const std::string& short_id() const { return short_id_; }
    [[nodiscard]] std::string label(session::StreamId stream) const;
    [[nodiscard]] const std::string& name() const { return settings_.name; }
    [[nodiscard]] const char* component() const { return settings_.component; }
    void add_to(SessionCounts& sum) const override;

    // For its links and sockets.

    [[nodiscard]] session::Session& core() { return *core_; }
    /// Carries out the session's pending events and starts its output. Call it after every use of
    /// core().
    void pump();
    /// The resulting events are carried out by the next pump().
    [[nodiscard]] Result<void> on_link_bytes(session::ChannelId channel, ByteSpan bytes);
    /// Gathers what the session has for a channel, if there is anything.
    void take_output(session::ChannelId channel, net::OutboundFrame& into);
    /// The link has ended and carries nothing more.
    void on_link_over(session::ChannelId channel, const std::string& why);
    /// The socket has finished: its stream has ended, or was reset by it.
    void forget(session::StreamId stream);

protected:
    /// Call this first: the driver and its session start together.
    /// @param core  outlives the driver's work, which on_over() ends.
    void use(session::Session& core);
    /// Attaches a channel's WebSocket. @param ticket  kept for as long as the link lives.
    void add_link(net::WebSocket websocket, session::ChannelId channel, Place place = {});
    /// Starts bridging a connected socket and a stream.
    void add_socket(session::StreamId stream, net::Stream socket, Place place);
    /// Ends the session, and tells the peer.
    void end(session::errc code);
    [[nodiscard]] bool is_over() const { return phase_ == Phase::over; }
    [[nodiscard]] std::size_t socket_count() const { return sockets_.size(); }
    [[nodiscard]] std::shared_ptr<SessionMetrics> metrics() const { return metrics_; }

    virtual void on_channel_open(session::ChannelId channel, const std::string& listener_id) = 0;
    virtual void on_channel_refused(session::ChannelId channel, session::HelloRefusal code,
                                    const std::string& why) = 0;
    /// The link has ended. @param orderly intended by either end.
    virtual void on_channel_gone(session::ChannelId channel, bool orderly) = 0;
    virtual void on_stream_opened(session::StreamId stream, const session::OpenInfo& open) = 0;
    /// A stream that we have opened was answered.
    virtual void on_stream_accepted(session::StreamId stream) = 0;
    virtual void on_stream_refused(session::StreamId stream, session::OpenRefusal code,
                                   const std::string& why) = 0;
    /// The stream's socket has finished.
    virtual void on_stream_gone(session::StreamId stream) = 0;
    /// All pending events were handled: it may now be possible to open more streams.
    virtual void on_pumped() {}
    /// The session has ended; its streams have been reset.
    virtual void on_session_ended(session::errc code) = 0;
    /// Nothing is left, its links have ended too. Called once, last.
    virtual void on_over() = 0;

private:
    using TimePoint = net::Clock::time_point;

    enum class Phase {
        running,
        ended,  ///< the core says so; the links are closing
        over    ///< they have closed: on_over() was called, and core_ may be gone
    };
    enum class Pump {
        idle,
        running,
        again  ///< running, and there may be more events
    };
    /// Whether the session has a channel that is open.
    enum class Reach {
        none_yet,
        reached,
        lost  ///< the last one was lost, and the session waits for another
    };

    void flush_soon();
    void flush();
    void dispatch(const session::Event& event);
    void dispatch_to_socket(const session::Event& event);
    void channel_opened(const session::Event& event);
    void ended(session::errc code);
    void arm_timer();
    void on_timer();
    void end_idle_sockets(TimePoint now);
    void end_vanished_sockets(TimePoint now);
    [[nodiscard]] TimePoint next_check() const;
    void finish_if_over();

    net::asio::any_io_executor executor_;
    Settings settings_;
    std::shared_ptr<ChannelRegistry> registry_;
    std::shared_ptr<SessionMetrics> metrics_;
    session::Session* core_ = nullptr;
    std::string short_id_;
    std::unordered_map<std::uint64_t, std::shared_ptr<SessionLink>> links_;
    std::unordered_map<std::uint32_t, std::shared_ptr<BridgedSocket>> sockets_;
    net::asio::steady_timer timer_;
    TimePoint armed_for_ = TimePoint::max();
    TimePoint next_idle_check_ = TimePoint::max();
    TimePoint next_vanished_check_ = TimePoint::max();
    TimePoint alone_since_;              // when the last channel was lost
    std::uint64_t requeued_before_ = 0;  // when there was last a channel
    std::uint64_t memory_waits_ = 0;     // of the core, when it was last looked at
    TimePoint flushed_at_{};             // long ago
    Phase phase_ = Phase::running;
    Pump pump_ = Pump::idle;
    Reach reach_ = Reach::none_yet;
    bool flush_posted_ = false;
    bool stops_here_ = false;   // this agent is stopping, not the other one
    bool was_crowded_ = false;  // memory is given back at the end
};

}  // namespace hpb::agent::tunnel_v2
