#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "agent/client/client_channel.hpp"
#include "agent/client/client_context.hpp"

namespace hpb::agent::client {

/// One of a mapping's RelayChannelCount places for a channel, on one thread: accepts the
/// connections assigned to it, dials when there is no channel, and replaces the channel when its
/// TTL expires
/// (docs/configuration.md, "RelayConnectionTtlSeconds"). Bounded by the quota of connections. v1
/// only: when a service agent answers that now supports v2, the connections go back to the Bridge.
class ChannelSlot : public std::enable_shared_from_this<ChannelSlot> {
public:
    /// A channel is replaced before its TTL when this many of its connections have ended, because
    /// as many target connections may be waiting for the channel's end at the service agent.
    static constexpr std::size_t kMaxUntoldEnds = 1000;

    /// Channels of one mapping that are dialled concurrently when each connection has its own: more
    /// would slow down an original service agent, which accepts each on a thread of its pool.
    static constexpr std::size_t kMaxDials = 16;

    struct Mapping {
        std::string entity;
        std::int32_t key = 0;
        std::chrono::seconds ttl{300};      ///< 0 or less: a channel for each connection
        std::size_t max_dials = kMaxDials;  ///< of this slot
    };

    /// An application that waits for a channel; can be moved between threads.
    struct Waiting {
        net::Stream::Detached application;
        Quota::Ticket ticket;
    };
    /// Takes connections back because the service agent speaks v2. Called on the slot's thread.
    using OnV2 = std::function<void(std::vector<Waiting>)>;

    ChannelSlot(const net::asio::any_io_executor& executor,
                std::shared_ptr<const ClientContext> context, Mapping mapping,
                std::shared_ptr<MappingNotes> notes, OnV2 on_v2);

    [[nodiscard]] const net::asio::any_io_executor& executor() const { return executor_; }

    /// Takes over an application's connection. On the slot's thread.
    void take(net::Stream application, Quota::Ticket ticket);
    /// Starts with a channel that was dialled elsewhere, on the slot's thread, before it has one.
    /// Without shared channels, the channel is for `application`.
    void adopt(net::WebSocket websocket, net::Stream application, Quota::Ticket ticket);
    /// Accepts no more connections. On the slot's thread; the registry ends the channels.
    void stop();

private:
    struct Application {
        net::Stream socket;
        Quota::Ticket ticket;
    };

    static net::awaitable<void> dial_shared(std::shared_ptr<ChannelSlot> self);
    static net::awaitable<void> dial_own(std::shared_ptr<ChannelSlot> self,
                                         Application application);
    static net::awaitable<void> adopt_shared(std::shared_ptr<ChannelSlot> self,
                                             net::WebSocket websocket);
    static net::awaitable<void> adopt_own(std::shared_ptr<ChannelSlot> self,
                                          net::WebSocket websocket, Application application);
    [[nodiscard]] net::awaitable<Result<net::WebSocket>> open();
    [[nodiscard]] net::awaitable<Result<void>> send_preamble(net::WebSocket& websocket);
    void use_shared(Result<net::WebSocket> websocket);
    void dial_next();
    void use_own(Result<net::WebSocket> websocket, Application application);
    void give_back(std::vector<Application> applications);
    [[nodiscard]] std::shared_ptr<ClientChannel> begin(net::WebSocket websocket);
    void add(ClientChannel& channel, Application application);
    void drop_ended_channel(net::Clock::time_point now);
    void on_dialled();
    void on_dial_failed(const Error& error);

    net::asio::any_io_executor executor_;
    std::shared_ptr<const ClientContext> context_;
    Mapping mapping_;
    std::shared_ptr<MappingNotes> notes_;
    std::shared_ptr<ClientChannel> channel_;
    net::Clock::time_point expires_;
    std::vector<Application> waiting_;
    OnV2 on_v2_;
    std::deque<Application> own_waiting_;  // waiting for their turn to dial
    std::size_t own_dials_ = 0;
    bool dialing_ = false;
    bool stopping_ = false;
};

/// Resets an application's connection.
void reset(net::Stream application);

}  // namespace hpb::agent::client
