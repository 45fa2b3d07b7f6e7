#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/place.hpp"
#include "agent/vanished_peer.hpp"
#include "net/signal.hpp"
#include "net/stream.hpp"
#include "v1/frame.hpp"

namespace hpb::agent::tunnel_v1 {

class Channel;

/// How a channel ended, for its connections.
enum class ChannelEnd {
    clean,  ///< the peer closed it: applications see an end of stream
    lost,   ///< it broke: applications see a reset, so that nothing looks complete
};

/// How a connection's own socket ended.
enum class LocalEnd { eof, reset };

/// One TCP connection of a v1 channel, to an application or to a target: reads the socket into
/// frames, and writes what arrives for its id. Its inbound bytes count against the channel's limit,
/// at which the channel stops reading; outbound bytes wait in the kernel until the channel accepts
/// them. Lives on its channel's thread. Its coroutines own it and keep the channel.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(std::shared_ptr<Channel> channel, const v1::ConnectionId& id, Place place);
    ~Connection();

    /// Holds `place` until it ends.
    void hold(Place place);
    /// The same, for whatever wants to know when the connection or its channel ends.
    void keep(std::shared_ptr<const void> token);
    /// Starts with a connected socket. Data given to deliver() before is written first.
    void attach(net::Stream stream);

    /// Inbound bytes; written at once if the socket takes them, else queued and counted.
    void deliver(ByteSpan payload);

    /// The channel has ended: writes what is queued, then ends the socket accordingly.
    void on_channel_end(ChannelEnd how);

    /// Ends the socket now, with a reset. Nothing more is delivered.
    void abort();
    /// Closes the socket cleanly. Nothing more is delivered.
    void close();

    [[nodiscard]] const v1::ConnectionId& id() const { return id_; }
    /// The first digits of the id, which suffice to find a connection in a log.
    [[nodiscard]] std::string short_id() const { return id_.to_string().substr(0, 8); }
    [[nodiscard]] net::Clock::time_point last_activity() const { return last_activity_; }
    /// When the connection began, and whether either side has sent a byte since.
    [[nodiscard]] net::Clock::time_point begun() const { return begun_; }
    [[nodiscard]] bool silent() const { return talk_ == Talk::none; }
    /// Inbound bytes so far.
    [[nodiscard]] std::uint64_t inbound_bytes() const { return inbound_bytes_; }
    /// True if the last bytes of the connection were outbound: they are still unanswered.
    [[nodiscard]] bool unanswered() const { return talk_ == Talk::unanswered; }
    /// False once writing to the socket has failed.
    [[nodiscard]] bool takes_data() const { return !over_ && !write_failed_; }
    /// True if the socket's other end has everything that was delivered, as far as TCP can tell.
    [[nodiscard]] bool all_taken();
    [[nodiscard]] bool is_over() const { return over_; }

    /// After the socket's end of stream: waits until nothing has arrived for `linger` and all of it
    /// is written, or the channel or the socket ends.
    [[nodiscard]] net::awaitable<void> linger(std::chrono::milliseconds linger);

    /// Data is in flight to the socket's peer, whose machine has acknowledged nothing for `limit`.
    [[nodiscard]] bool has_vanished(net::Clock::time_point now, std::chrono::seconds limit) {
        return stream_ && !over_ && vanished_.has_vanished(*stream_, now, limit);
    }

private:
    /// Which way the last bytes went.
    enum class Talk { none, inbound, unanswered };

    static net::awaitable<void> read_loop(std::shared_ptr<Connection> self);
    static net::awaitable<void> write_loop(std::shared_ptr<Connection> self);
    [[nodiscard]] net::awaitable<LocalEnd> forward_until_end();
    [[nodiscard]] net::awaitable<std::optional<LocalEnd>> forward_once();
    [[nodiscard]] net::awaitable<bool> write_queue();
    [[nodiscard]] net::awaitable<void> finish_after_channel();
    void enqueue(ByteSpan payload);
    void drop_queue();
    void fail_writing();

    std::shared_ptr<Channel> channel_;
    v1::ConnectionId id_;
    Place place_;
    std::shared_ptr<const void> token_;
    std::optional<net::Stream> stream_;
    std::optional<net::Deadline> deadline_;  // interrupts stream_, so it is declared after it
    net::Signal changed_;
    std::string queue_;        // inbound, not yet with the writer
    std::size_t counted_ = 0;  // inbound bytes that the channel counts: queue_ and the writer's
    std::uint64_t inbound_bytes_ = 0;
    bool writing_ = false;
    bool write_failed_ = false;
    bool over_ = false;  // close() or abort(): nothing more is delivered
    std::optional<ChannelEnd> channel_end_;
    Talk talk_ = Talk::none;
    VanishedPeer vanished_;
    net::Clock::time_point begun_;
    net::Clock::time_point last_activity_;
    net::Clock::time_point last_inbound_;
};

}  // namespace hpb::agent::tunnel_v1
