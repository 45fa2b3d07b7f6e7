#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>

#include "agent/service/served_entity.hpp"
#include "agent/service/service_context.hpp"
#include "agent/tunnel_v2/session_driver.hpp"

namespace hpb::agent::service {

/// The service agent's end of a v2 session: dials a target for each stream that the client agent
/// opens. Channels come from the SessionHost.
class ServiceSession : public tunnel_v2::SessionDriver {
public:
    /// @param source   of the client agent that started it (net::source_key).
    /// @param places   the sender's share of the entity's target connections.
    /// @param core     belongs to the host's table, until `on_over` was called.
    /// @param on_over  called once; the session's core is not used after it.
    ServiceSession(const net::asio::any_io_executor& executor,
                   std::shared_ptr<const ServiceContext> context,
                   std::shared_ptr<const ServedEntity> entity, std::string source,
                   std::shared_ptr<SenderPlaces> places, session::Session& core,
                   std::function<void(const session::SessionId&)> on_over);

    /// Attaches a channel that the session has admitted. @param early bytes after its HELLO.
    void begin_channel(net::WebSocket websocket, session::ChannelId channel, Place place,
                       ByteSpan early);

private:
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

    /// A stream whose dial is delayed (DialDebts).
    struct DelayedDial {
        net::Clock::time_point due;
        session::StreamId stream;
        session::OpenInfo open;
    };
    static constexpr std::size_t kForgetAt = 64;

    void dial_later(const DelayedDial& dial);
    static net::awaitable<void> dial_delayed(std::shared_ptr<ServiceSession> self);
    [[nodiscard]] bool is_wanted(session::StreamId stream);
    void begin_dial(session::StreamId stream, const session::OpenInfo& open,
                    const ServedEntity::Mapping& mapping);
    static net::awaitable<void> dial_target(std::shared_ptr<ServiceSession> self,
                                            session::StreamId stream,
                                            const ServedEntity::Mapping* mapping, Place place);
    void refuse(session::StreamId stream, const ServedEntity::Mapping& mapping, const Error& why);
    void refuse_key(session::StreamId stream, const session::OpenInfo& open);

    std::shared_ptr<const ServiceContext> context_;
    std::shared_ptr<const ServedEntity> entity_;
    std::shared_ptr<SenderPlaces> places_;
    std::shared_ptr<net::Share> share_;  // of them, this session's
    std::string source_;
    std::uint64_t charged_ = 0;  // of the session's unused streams
    std::function<void(const session::SessionId&)> on_over_;
    std::deque<DelayedDial> delayed_;  // in the order in which they are due
    std::size_t forget_at_ = kForgetAt;
    bool dials_delayed_ = false;
};

/// The REFUSED code for a failed dial.
[[nodiscard]] session::OpenRefusal refusal_code(const Error& why);

}  // namespace hpb::agent::service
