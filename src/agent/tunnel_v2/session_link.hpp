#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/place.hpp"
#include "net/signal.hpp"
#include "net/websocket/websocket.hpp"
#include "session/ids.hpp"

namespace hpb::agent::tunnel_v2 {

class SessionDriver;

/// One channel of a v2 session: a rendezvous WebSocket, whose bytes go to the session and which
/// takes what the session has for it. One reader and one writer, which own it and the driver.
class SessionLink : public std::enable_shared_from_this<SessionLink> {
public:
    /// Limit on unsent bytes in the kernel: more would delay a keystroke.
    static constexpr std::size_t kUnsentLimit = 128 * 1024;
    /// For the peer's answer to our Close.
    static constexpr std::chrono::seconds kCloseLimit{3};

    SessionLink(net::WebSocket websocket, SessionDriver& driver, session::ChannelId channel,
                Place place);

    void start(const std::shared_ptr<SessionDriver>& driver);
    /// Fetches the session's output, if the writer is idle.
    void fetch_output();
    /// Ends it once everything is written.
    void close();
    /// Ends it now.
    void cut(const std::string& why);

    /// True if its end is intended.
    [[nodiscard]] bool is_closing() const { return ending_ == Ending::intended; }

private:
    /// Why our Close is on its way, or will be when everything is written.
    enum class Ending {
        none,
        intended,  ///< close(): the session needs the channel no longer
        violated   ///< the peer has violated the channel's protocol
    };

    static net::awaitable<void> read(std::shared_ptr<SessionLink> self,
                                     std::shared_ptr<SessionDriver> driver);
    static net::awaitable<void> write(std::shared_ptr<SessionLink> self,
                                      std::shared_ptr<SessionDriver> driver);
    [[nodiscard]] net::awaitable<std::string> read_until_end();
    [[nodiscard]] bool take_output();
    void begin_close(Ending ending);

    net::WebSocket websocket_;
    SessionDriver* driver_;  // alive for as long as the reader or the writer runs
    session::ChannelId channel_;
    Place place_;
    net::Signal wake_;
    net::OutboundFrame frame_;  // what is being written
    std::optional<net::Deadline> deadline_;
    std::string why_;
    Ending ending_ = Ending::none;
    bool idle_ = false;  // the writer waits for wake_
    bool over_ = false;  // the reader has ended
};

}  // namespace hpb::agent::tunnel_v2
