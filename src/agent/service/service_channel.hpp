#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/service/served_entity.hpp"
#include "agent/tunnel_v1/channel.hpp"
#include "agent/tunnel_v1/ended_ids.hpp"

namespace hpb::agent::service {

/// The service agent's end of a v1 channel: reads the preamble, dials a target for each new id when
/// its first data arrives, and ends the channel when that is the only way to tell the peer that a
/// target has closed (docs/protocol.md, "v1").
///
/// A channel with an end that v1 cannot express *drains*: it accepts no more ids, and ends when its
/// other connections have been silent for a moment, so that the waiting application sees an end.
class ServiceChannel : public tunnel_v1::Channel, public PlaceHolder {
public:
    /// Ids of ended connections that are remembered per channel, because later frames may carry
    /// them.
    static constexpr std::size_t kMaxEndedIds = 65536;
    /// From the start of the channel to a complete preamble.
    static constexpr std::chrono::seconds kPreambleLimit{10};
    /// A draining channel ends after this time, however busy its other connections are.
    static constexpr std::chrono::seconds kDrainLimit{30};
    /// The same once it has dropped an application's data.
    static constexpr std::chrono::seconds kDropLimit{4};
    /// Data that arrives this soon after a target's end is held back, and is forwarded to a new
    /// connection only if meanwhile no other connection has ended in a way that suggests that the
    /// target is going down.
    static constexpr std::chrono::milliseconds kReopenDelay{100};
    /// The same if the target may be going down: by then its other connections have ended too.
    static constexpr std::chrono::milliseconds kReopenDelayInDoubt{500};
    /// Within this time of the end of a connection that was waiting for an answer, ends of the
    /// channel's other connections do not count as idle: the target may be going down.
    static constexpr std::chrono::milliseconds kDoubtPeriod{200};
    /// A connection without a place counts as this much of the channel's kMaxQueued.
    static constexpr std::size_t kWaitingCost = 4096;

    /// What to do with data for a connection that the target has ended.
    enum class Reopen {
        never,       ///< it is dropped, and the channel drains
        after_idle,  ///< dials the target again if the connection was idle when it ended
        always,      ///< dials the target again, as the .NET bridge does
    };

    struct Options {
        std::chrono::milliseconds close_linger{1000};
        std::chrono::seconds channel_idle{300};
        std::chrono::seconds connection_idle{0};
        std::chrono::seconds unacknowledged{0};
        Reopen reopen = Reopen::after_idle;
        std::chrono::seconds connect_timeout{10};
        std::chrono::milliseconds preamble_limit = kPreambleLimit;
    };

    /// @param places  the sender's share of the entity's target connections.
    ServiceChannel(net::WebSocket websocket, Options options,
                   std::shared_ptr<const ServedEntity> entity, std::shared_ptr<SenderPlaces> places,
                   std::shared_ptr<ChannelRegistry> registry, Place place);
    ~ServiceChannel() override;

private:
    // Channel
    [[nodiscard]] net::awaitable<void> on_local_end(
        std::shared_ptr<tunnel_v1::Connection> connection, tunnel_v1::LocalEnd end) override;
    void on_bytes(ByteSpan bytes) override;
    [[nodiscard]] TimePoint on_time(TimePoint now) override;
    void on_given_up(const std::shared_ptr<tunnel_v1::Connection>& connection,
                     const std::string& why) override;
    [[nodiscard]] std::string missing_at_end() const override;
    void on_over(tunnel_v1::ChannelEnd how, const std::string& why) override;
    // PlaceHolder
    [[nodiscard]] net::asio::any_io_executor holder_executor() const override { return executor(); }
    [[nodiscard]] net::Clock::time_point idle_since() override;
    void give_up_longest_idle() override;

    // The channel's first bytes.
    [[nodiscard]] bool read_preamble(ByteSpan& bytes);
    void on_mapping(const ServedEntity::Mapping& mapping);
    void turn_away(const std::string& what, const std::string& reason);
    [[nodiscard]] std::string describe_opening() const;

    // Connections.
    void on_piece(const v1::FrameDecoder::Piece& piece);
    void on_piece_after_end(const v1::FrameDecoder::Piece& piece,
                            const tunnel_v1::EndedIds::End& end);
    /// When the id's previous connection to the target ended; none: the id is new.
    using Before = std::optional<TimePoint>;
    void open_connection(const v1::ConnectionId& id, ByteSpan payload, Before before);
    static net::awaitable<void> dial_target(std::shared_ptr<ServiceChannel> self,
                                            std::shared_ptr<tunnel_v1::Connection> connection,
                                            Before before);
    [[nodiscard]] net::awaitable<bool> wait_for_turn(
        std::shared_ptr<tunnel_v1::Connection> connection, Before before);
    [[nodiscard]] bool may_reopen(TimePoint ended, TimePoint now) const;
    [[nodiscard]] net::awaitable<net::Share::Ticket> take_place();
    [[nodiscard]] net::awaitable<bool> room_made();
    void hold_place(const std::shared_ptr<tunnel_v1::Connection>& connection,
                    net::Share::Ticket ticket);

    // Ends.
    void on_refused(const std::shared_ptr<tunnel_v1::Connection>& connection, const Error& why);
    /// The id has ended: if it was the only one, the peer is told.
    void retire_id(const v1::ConnectionId& id, tunnel_v1::EndedIds::End end);
    void forget_connection(const v1::ConnectionId& id);
    /// Data arrived for an id whose connection to the target has ended, and is not forwarded.
    void on_late_data();
    void drop_reopened(const std::shared_ptr<tunnel_v1::Connection>& connection);
    void drain();
    void on_dropped();
    [[nodiscard]] TimePoint note_silence(TimePoint now);
    [[nodiscard]] TimePoint drain_until(TimePoint now) const;
    [[nodiscard]] TimePoint end_when_unused(TimePoint now);

    Options options_;
    std::shared_ptr<const ServedEntity> entity_;
    std::shared_ptr<SenderPlaces> places_;
    std::shared_ptr<net::Share> share_;
    Place place_;
    v1::PreambleDecoder preamble_;
    std::string opening_;  // the first bytes, until the peer is identified
    v1::FrameDecoder decoder_;
    const ServedEntity::Mapping* mapping_ = nullptr;
    std::string mapping_name_;
    tunnel_v1::EndedIds ended_{kMaxEndedIds};
    bool any_frame_ = false;
    bool draining_ = false;
    bool holds_places_ = false;
    // A connection was reset or refused. The channel's end tells all its applications alike, and a
    // reset for one that had everything does less harm than a clean end for one that had not.
    bool any_reset_ = false;
    TimePoint begun_;
    TimePoint idle_since_;
    TimePoint mapped_at_ = TimePoint::max();
    TimePoint linger_until_ = TimePoint::max();
    TimePoint drain_limit_ = TimePoint::max();
    std::optional<TimePoint> doubt_at_;  // when a connection last ended while in use
};

}  // namespace hpb::agent::service
