#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/channel.hpp"
#include "agent/closed_ids.hpp"
#include "agent/mapping_notes.hpp"
#include "hc/target_map.hpp"

namespace hpb::agent {

/// What channels of one entity need to know. Immutable but for the notes, which are thread-safe;
/// shared by all threads.
struct ServedEntity {
    struct Mapping {
        hc::TargetAddress target;
        std::shared_ptr<MappingNotes> notes;
    };
    std::string path;
    std::map<std::int32_t, Mapping> mappings;
    std::shared_ptr<MappingNotes> notes;  ///< for what concerns no mapping
    std::shared_ptr<Quota> connections;   ///< of the whole agent

    /// The configuration keys, for a log line.
    [[nodiscard]] std::string known_keys() const;
};

/// The service agent's end of a v1 channel: reads the preamble, dials a target for each new id when
/// its first data arrives, and ends the channel when that is the only way to tell the peer that a
/// target has closed (docs/protocol.md, "v1").
class ServiceChannel : public Channel {
public:
    /// Ids of connections that are over and that late frames may still carry, per channel.
    static constexpr std::size_t kMaxClosedIds = 65536;

    struct Options {
        std::chrono::milliseconds close_linger{1000};
        std::chrono::seconds channel_idle{300};
        std::chrono::seconds connection_idle{0};
        std::chrono::seconds unacknowledged{0};
        bool reopen_after_target_close = false;
        std::chrono::seconds connect_timeout{10};
    };

    ServiceChannel(net::WebSocket websocket, Options options,
                   std::shared_ptr<const ServedEntity> entity,
                   std::shared_ptr<ChannelRegistry> registry, Quota::Ticket ticket);

private:
    [[nodiscard]] net::awaitable<void> on_local_end(std::shared_ptr<Connection> connection,
                                                    LocalEnd end) override;
    void on_bytes(ByteSpan bytes) override;
    [[nodiscard]] TimePoint on_time(TimePoint now) override;
    void on_given_up(const std::shared_ptr<Connection>& connection,
                     const std::string& why) override;
    void on_over(ChannelEnd how, const std::string& why) override;

    void choose_mapping(std::int32_t key);
    void on_piece(const v1::FrameDecoder::Piece& piece);
    void open_connection(const v1::ConnectionId& id, ByteSpan payload);
    static net::awaitable<void> dial_target(std::shared_ptr<ServiceChannel> self,
                                            std::shared_ptr<Connection> connection);
    void on_refused(const std::shared_ptr<Connection>& connection, const Error& why);
    /// The id is over: its late frames are dropped, and if it was the only one, the peer is told.
    void retire_id(const v1::ConnectionId& id);
    void note_late_data();

    Options options_;
    std::shared_ptr<const ServedEntity> entity_;
    Quota::Ticket ticket_;
    v1::PreambleDecoder preamble_;
    v1::FrameDecoder decoder_;
    const ServedEntity::Mapping* mapping_ = nullptr;
    std::string mapping_name_;
    ClosedIds closed_{kMaxClosedIds};
    bool any_frame_ = false;
    // A connection was reset or refused. The channel's end tells all its applications alike, and a
    // reset for one that had everything does less harm than a clean end for one that had not.
    bool any_reset_ = false;
    TimePoint idle_since_;
    TimePoint mapped_at_ = TimePoint::max();
    TimePoint linger_until_ = TimePoint::max();
};

}  // namespace hpb::agent
