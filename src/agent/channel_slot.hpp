#pragma once

#include <memory>
#include <vector>

#include "agent/channel_registry.hpp"
#include "agent/client_channel.hpp"
#include "agent/quota.hpp"
#include "agent/relay_dialer.hpp"
#include "config/agent_options.hpp"

namespace hpb::agent {

/// What all parts of a client agent share. Immutable, or safe from any thread by itself.
struct ClientContext {
    ClientContext(config::ClientOptions client_options,
                  std::shared_ptr<const RelayDialer> relay_dialer)
        : options(std::move(client_options)),
          dialer(std::move(relay_dialer)),
          registry(std::make_shared<ChannelRegistry>()),
          connections(std::make_shared<Quota>(options.max_connections)) {}

    const config::ClientOptions options;
    const std::shared_ptr<const RelayDialer> dialer;
    const std::shared_ptr<ChannelRegistry> registry;
    const std::shared_ptr<Quota> connections;
};

/// One of a mapping's RelayChannelCount places for a channel, on one thread: takes the connections
/// that fall to it, dials when there is no channel, and replaces the channel when its time is over
/// (docs/configuration.md, "RelayConnectionTtlSeconds"). Bounded by the quota of connections.
class ChannelSlot : public std::enable_shared_from_this<ChannelSlot> {
public:
    /// A channel is replaced before its TTL when this many of its connections have ended, because
    /// as many target connections may be waiting for the channel's end at the service agent.
    static constexpr std::size_t kMaxUntoldEnds = 1000;

    struct Mapping {
        std::string entity;
        std::int32_t key = 0;
        std::chrono::seconds ttl{300};  ///< 0 or less: a channel for each connection
    };

    ChannelSlot(const net::asio::any_io_executor& executor,
                std::shared_ptr<const ClientContext> context, Mapping mapping,
                std::shared_ptr<MappingNotes> notes);

    [[nodiscard]] const net::asio::any_io_executor& executor() const { return executor_; }

    /// Takes over an application's connection. On the slot's thread.
    void take(net::Stream application, Quota::Ticket ticket);
    /// Takes no more connections. On the slot's thread; channels are ended by their registry.
    void stop();

private:
    struct Waiting {
        net::Stream application;
        Quota::Ticket ticket;
    };

    static net::awaitable<void> dial_shared(std::shared_ptr<ChannelSlot> self);
    static net::awaitable<void> dial_own(std::shared_ptr<ChannelSlot> self, Waiting waiting);
    [[nodiscard]] net::awaitable<Result<net::WebSocket>> open();
    [[nodiscard]] std::shared_ptr<ClientChannel> begin(net::WebSocket websocket);
    void add(ClientChannel& channel, Waiting waiting);
    void drop_ended_channel(net::Clock::time_point now);
    void on_dialled();
    void on_dial_failed(const Error& error);

    net::asio::any_io_executor executor_;
    std::shared_ptr<const ClientContext> context_;
    Mapping mapping_;
    std::shared_ptr<MappingNotes> notes_;
    std::shared_ptr<ClientChannel> channel_;
    net::Clock::time_point expires_;
    std::vector<Waiting> waiting_;
    bool dialing_ = false;
    bool stopping_ = false;
};

/// Ends an application's connection so that it sees a reset.
void reset(net::Stream application);

}  // namespace hpb::agent
