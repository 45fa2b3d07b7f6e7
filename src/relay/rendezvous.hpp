#pragma once

#include <memory>
#include <vector>

#include "config/relay_options.hpp"
#include "net/signal.hpp"
#include "net/slab.hpp"
#include "net/stream.hpp"
#include "net/websocket/frame_writer.hpp"
#include "relay/connection_limits.hpp"
#include "relay/relay_log.hpp"
#include "relay/transcoder.hpp"

namespace hpb::relay {

/// A sender joined to a listener: both connections on one thread, messages forwarded in both
/// directions (docs/protocol.md, "Data plane"). Memory: one slab per direction, and only while it
/// contains bytes; if one side does not read, the other is not read either.
class Rendezvous : public std::enable_shared_from_this<Rendezvous> {
public:
    struct End {
        net::Stream::Detached connection;
        ConnectionTicket ticket;
        std::vector<std::byte> early;  ///< bytes received after the upgrade request
        std::unique_ptr<RelayLog::Visit> visit = nullptr;  ///< of the sender
    };

    /// Forwards messages, on `executor`, until both sides have closed or one is lost. Both 101
    /// responses must have been sent. Callable from any thread. @param options  outlives the
    /// executor.
    static void start(const net::asio::any_io_executor& executor, End sender, End listener,
                      const config::RelayOptions& options);

    /// As start() does.
    Rendezvous(const net::asio::any_io_executor& executor, End sender, End listener,
               const config::RelayOptions& options);

    /// Ends it as on an abnormal loss. On its thread only.
    void interrupt();

private:
    /// One connection and what is read from it.
    struct Leg {
        Leg(const net::asio::any_io_executor& executor, End end);

        net::Stream stream;
        ConnectionTicket ticket;
        std::vector<std::byte> early;
        std::unique_ptr<RelayLog::Visit> visit;
        Transcoder transcoder;
        net::FrameWriter writer;
        net::Clock::time_point last_received = net::Clock::now();
        bool waiting_to_read = false;
        bool closed = false;  // its Close has been forwarded
    };

    enum class Ended { by_close, by_loss };

    static net::awaitable<void> run(net::asio::any_io_executor executor, End sender, End listener,
                                    const config::RelayOptions& options);
    static net::awaitable<void> pump_and_report(std::shared_ptr<Rendezvous> self, Leg& from,
                                                Leg& to);
    static net::awaitable<void> watch(std::shared_ptr<Rendezvous> self);
    static net::awaitable<void> flush(std::shared_ptr<Rendezvous> self, Leg& leg);
    [[nodiscard]] net::awaitable<Ended> pump(Leg& from, Leg& to);
    [[nodiscard]] net::awaitable<bool> fill(Leg& from, net::Slab& slab, MutableByteSpan& bytes);
    [[nodiscard]] Result<void> on_control(Leg& from, Leg& to, const Transcoder::Step& step);
    void send_control(Leg& leg, websocket::Opcode opcode, ByteSpan payload);
    void fail(Leg& culprit, Leg& other, const Error& error);
    [[nodiscard]] net::awaitable<void> finish(Leg& leg);
    void check_liveness(Leg& leg);
    [[nodiscard]] net::Clock::time_point close_deadline() const;

    const config::RelayOptions& options_;
    Leg sender_;
    Leg listener_;
    net::Signal changed_;
    int pumps_running_ = 2;
    bool lost_ = false;
    bool done_ = false;
    std::optional<net::Clock::time_point> first_close_;
};

}  // namespace hpb::relay
