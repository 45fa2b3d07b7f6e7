#pragma once

#include <memory>

#include "agent/mapping_notes.hpp"
#include "agent/tunnel_v1/channel.hpp"

namespace hpb::agent::client {

/// The client agent's end of a v1 channel: it generates the ids; frames with unknown or ended ids
/// are dropped (docs/protocol.md, "v1").
class ClientChannel : public tunnel_v1::Channel {
public:
    /// A listener that has not sent a valid frame by then is probably not a service agent.
    static constexpr std::chrono::seconds kNothingBack{10};
    /// A channel that the other side closes within this time counts as closed at once.
    static constexpr std::chrono::seconds kAtOnce{2};

    struct Options {
        std::int32_t key = 0;  ///< named in the preamble
        std::chrono::milliseconds half_close_linger{2000};
        std::chrono::seconds channel_idle{5};
        std::chrono::seconds connection_idle{0};
        std::chrono::seconds unacknowledged{0};
    };

    /// @param websocket  the preamble has been sent on it.
    ClientChannel(net::WebSocket websocket, Options options, std::shared_ptr<MappingNotes> notes,
                  std::shared_ptr<ChannelRegistry> registry);

    /// Starts a connection for an application's socket. @pre open()
    void add(net::Stream stream, Place place);

    /// Connections that applications have ended since the channel began. v1 has no frame for that,
    /// so their targets live until the channel ends.
    [[nodiscard]] std::size_t untold_ends() const { return untold_ends_; }

    /// No more connections will be added: the channel closes when its last one ends.
    void retire();

private:
    /// What the listener has sent so far, by which it shows whether it is a service agent.
    enum class Heard {
        nothing,      ///< less than a frame's header
        first_bytes,  ///< enough to tell other protocols
        frames        ///< a frame of one of our connections
    };

    [[nodiscard]] net::awaitable<void> on_local_end(
        std::shared_ptr<tunnel_v1::Connection> connection, tunnel_v1::LocalEnd end) override;
    void on_bytes(ByteSpan bytes) override;
    [[nodiscard]] TimePoint on_time(TimePoint now) override;
    void on_given_up(const std::shared_ptr<tunnel_v1::Connection>& connection,
                     const std::string& why) override;
    [[nodiscard]] std::string missing_at_end() const override;
    void on_over(tunnel_v1::ChannelEnd how, const std::string& why) override;
    [[nodiscard]] TimePoint note_silence(TimePoint now);
    [[nodiscard]] TimePoint note_nothing_back(TimePoint now);
    /// A listener may accept any subprotocol, so only its first bytes show what it is.
    void look_at_first(ByteSpan bytes);
    void on_no_bridge(const std::string& why);
    void close_here(std::uint16_t code, const std::string& reason);
    void note_half_close();

    Options options_;
    std::shared_ptr<MappingNotes> notes_;
    v1::FrameDecoder decoder_;
    std::string first_;  // inbound bytes until they are known to be v1
    Heard heard_ = Heard::nothing;
    bool closed_here_ = false;
    bool retired_ = false;
    TimePoint begun_;
    std::size_t untold_ends_ = 0;
    TimePoint idle_since_;
};

}  // namespace hpb::agent::client
