#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/client/bulk_watch.hpp"
#include "agent/client/client_context.hpp"
#include "agent/mapping_notes.hpp"
#include "agent/tunnel_v2/session_driver.hpp"
#include "net/signal.hpp"
#include "session/slab.hpp"

namespace hpb::agent::client {

/// The client agent's end of a v2 session: dials its channels, redials lost ones, replaces old
/// ones; opens a stream for each application.
///
///   greeting --WELCOME--> usable <----> alone: dialling until the grace period ends
///                                        +--> stranded: the relay knows only other service agents
class ClientSession : public tunnel_v2::SessionDriver {
public:
    /// A service agent that does not come back while others at its relay answer is considered gone
    /// after this time and this many answers (as many as there may be listeners).
    static constexpr std::chrono::seconds kForgottenAfter{20};
    static constexpr unsigned kMaxListeners = 25;

    /// Called on the session's thread.
    class Observer {
    public:
        Observer() = default;
        virtual ~Observer() = default;
        Observer(const Observer&) = delete;
        Observer& operator=(const Observer&) = delete;
        virtual void on_usable(ClientSession& session) = 0;
        /// There may be room for streams now.
        virtual void on_room(ClientSession& session) = 0;
        /// An attempt to get a channel failed, and there is none.
        virtual void on_attempt_failed(ClientSession& session, const Error& why) = 0;
        /// New connections should not wait for this session.
        virtual void on_stranded(ClientSession& session) = 0;
        /// The session has ended. @param why set if it never became usable.
        virtual void on_gone(ClientSession& session, const std::optional<Error>& why) = 0;
    };

    struct Route {
        std::string entity;
        std::size_t channels = 1;             ///< at all times
        std::size_t channels_under_load = 1;  ///< while bulk fills them (BulkWatch)
        std::chrono::seconds ttl{300};        ///< of a channel; 0 or less: no limit
    };

    ClientSession(const net::asio::any_io_executor& executor,
                  std::shared_ptr<const ClientContext> context, Route route,
                  std::weak_ptr<Observer> observer);

    /// Starts on a channel on which a service agent has chosen v2.
    /// @return false if the agent is stopping: drop the session.
    [[nodiscard]] static bool start(const std::shared_ptr<ClientSession>& session,
                                    net::WebSocket websocket);

    /// Streams can be opened and reach the service agent at once.
    [[nodiscard]] bool is_usable() const;
    /// There is no channel, but waiting for one makes sense.
    [[nodiscard]] bool is_pending() const;
    /// Bridges an application, if there is room for it.
    /// @param key    of its mapping. @param notes  for log lines about its mapping.
    /// @return false if there is none; then nothing was moved.
    [[nodiscard]] bool take(net::Stream& application, const net::tcp::endpoint& peer,
                            Quota::Ticket& ticket, std::int32_t key,
                            const std::shared_ptr<MappingNotes>& notes);

private:
    using TimePoint = net::Clock::time_point;

    /// A place for a channel: RelayChannelCount of them, under load ChannelsUnderLoad.
    struct Place {
        session::ChannelId live;
        session::ChannelId coming;  // HELLO was sent, WELCOME has not arrived
        bool dialling = false;
        unsigned failures = 0;
        TimePoint opened_at;
        TimePoint expires = TimePoint::max();
        TimePoint retry_at = TimePoint::min();
    };

    void on_channel_open(session::ChannelId channel, const std::string& listener_id) override;
    void on_channel_refused(session::ChannelId channel, session::HelloRefusal code,
                            const std::string& why) override;
    void on_channel_gone(session::ChannelId channel, bool orderly) override;
    void on_stream_opened(session::StreamId stream, const session::OpenInfo& open) override;
    void on_stream_accepted(session::StreamId stream) override;
    void on_stream_refused(session::StreamId stream, session::OpenRefusal code,
                           const std::string& why) override;
    void on_stream_gone(session::StreamId stream) override;
    void on_pumped() override;
    void on_session_ended(session::errc code) override;
    void on_over() override;

    static net::awaitable<void> tend(std::shared_ptr<ClientSession> self);
    static net::awaitable<void> dial(std::shared_ptr<ClientSession> self, std::size_t index);
    [[nodiscard]] TimePoint tend_load(TimePoint now);
    [[nodiscard]] TimePoint tend_places(TimePoint now);
    [[nodiscard]] TimePoint tend_idleness(TimePoint now);
    [[nodiscard]] bool may_dial(const Place& place) const;
    [[nodiscard]] RelayDialer::ConnectOptions connect_options(const Place& place) const;
    void begin_channel(Place& place, net::WebSocket websocket);
    void on_attempt_failed(Place& place, const Error& why);
    void on_stranger(Place& place, const std::string& why);

    std::shared_ptr<const ClientContext> context_;
    Route route_;
    std::weak_ptr<Observer> observer_;
    std::shared_ptr<session::SlabPool> pool_;
    std::unique_ptr<session::Session> session_;
    std::vector<Place> places_;  // changes its size in tend_load() only
    BulkWatch load_;
    // For streams that have not been answered.
    std::unordered_map<std::uint32_t, std::shared_ptr<MappingNotes>> unanswered_;
    net::Signal wake_;
    std::string listener_id_;
    std::optional<Error> failure_;  // why it has not become usable
    TimePoint idle_since_;
    TimePoint strangers_since_ = TimePoint::max();
    unsigned strangers_ = 0;
    bool welcomed_ = false;
    bool stranded_ = false;
    bool ending_ = false;
};

}  // namespace hpb::agent::client
