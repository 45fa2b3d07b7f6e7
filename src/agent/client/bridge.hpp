#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/client/channel_slot.hpp"
#include "agent/client/client_session.hpp"
#include "config/agent_options.hpp"
#include "net/executor_pool.hpp"

namespace hpb::agent::client {

/// Connects the applications of all mappings to one hybrid connection with its service agent:
/// negotiates the protocol (docs/protocol.md, "Negotiation") and assigns applications to v2
/// sessions, which all mappings share, or to each mapping's v1 channels. Applications wait here
/// while the protocol is unknown or no session has a channel; each holds a place in the agent's
/// quota.
/// Lives on one thread.
class Bridge : public ClientSession::Observer, public std::enable_shared_from_this<Bridge> {
public:
    /// Limit on sessions of one hybrid connection: another is created when all are full, and when a
    /// service agent is gone while its session may still be resumed.
    static constexpr std::size_t kMaxSessions = 256;
    /// How long an application waits for a channel while a session lives: its service agent may
    /// reconnect a moment after us when the relay is back. A failure that only a change of
    /// configuration can fix ends the wait at once.
    static constexpr std::chrono::seconds kPatience{10};
    /// Pause between dials while applications wait.
    static constexpr std::chrono::milliseconds kRetry{250};

    Bridge(const net::asio::any_io_executor& executor, net::ExecutorPool& pool,
           std::shared_ptr<const ClientContext> context, std::string entity);

    /// Adds a mapping to this hybrid connection. Call before the first take().
    /// @return its number, for take().
    [[nodiscard]] std::size_t add_mapping(const config::ClientMapping& mapping,
                                          std::shared_ptr<MappingNotes> notes);

    /// Takes over an application's connection.
    void take(std::size_t mapping, net::Stream application, const net::tcp::endpoint& peer,
              Quota::Ticket ticket);
    /// Accepts no more; the agent's registry ends sessions and channels.
    void stop();

    [[nodiscard]] const net::asio::any_io_executor& executor() const { return executor_; }

private:
    struct Mapping {
        std::int32_t key = 0;
        int channels = 1;
        std::chrono::seconds ttl{300};
        std::shared_ptr<MappingNotes> notes;
        std::vector<std::shared_ptr<ChannelSlot>> slots;  // for v1
        std::size_t turn = 0;
    };
    /// How the service agent is talked to.
    enum class Peer {
        in_sessions,  ///< v2: sessions_, and another is asked for when none has room
        asking,       ///< dialling a channel, whose subprotocol tells what it speaks
        v1            ///< it has chosen v1; until a channel of a slot chooses v2 (on_v2)
    };
    struct Waiting {
        std::size_t mapping;
        net::Stream application;
        net::tcp::endpoint peer;
        Quota::Ticket ticket;
        net::Clock::time_point since;
    };

    void on_usable(ClientSession& session) override;
    void on_room(ClientSession& session) override;
    void on_attempt_failed(ClientSession& session, const Error& why) override;
    void on_stranded(ClientSession& session) override;
    void on_gone(ClientSession& session, const std::optional<Error>& why) override;

    void make_slots(std::size_t index);
    void hand_out();
    void hand_out_to_slots();
    [[nodiscard]] bool hand_to_session(Waiting& waiting);
    static net::awaitable<void> dial(std::shared_ptr<Bridge> self);
    void on_dialled(Result<RelayDialer::SenderChannel> channel);
    void on_dial_failed(const Error& why);
    static net::awaitable<void> dial_later(std::shared_ptr<Bridge> self);
    void begin_session(net::WebSocket websocket);
    void begin_v1(net::WebSocket websocket);
    void on_v2(std::size_t mapping, std::vector<ChannelSlot::Waiting> applications);
    void refuse_waiting(const Error& why, net::Clock::duration patience);
    [[nodiscard]] ClientSession::Route route() const;
    static void pass(const std::shared_ptr<ChannelSlot>& slot, Waiting waiting);

    net::asio::any_io_executor executor_;
    net::ExecutorPool* pool_;
    std::shared_ptr<const ClientContext> context_;
    std::string entity_;
    std::vector<Mapping> mappings_;
    std::vector<std::shared_ptr<ClientSession>> sessions_;
    std::deque<Waiting> waiting_;
    Peer peer_ = Peer::in_sessions;
    bool told_of_dropped_choice_ = false;
    bool handing_out_ = false;
    bool stopping_ = false;
};

}  // namespace hpb::agent::client
