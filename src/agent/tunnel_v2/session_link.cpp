#include "agent/tunnel_v2/session_link.hpp"

#include <utility>

#include "agent/tunnel_v2/session_driver.hpp"
#include "base/text.hpp"
#include "net/socket_options.hpp"
#include "ops/limits.hpp"

namespace hpb::agent::tunnel_v2 {
namespace {

constexpr std::uint16_t kNormalClosure = 1000;  // RFC 6455 section 7.4.1
/// Inbound bytes after which the others of this thread get their turn.
constexpr std::size_t kReadTurn = 512 * 1024;

}  // namespace

SessionLink::SessionLink(net::WebSocket websocket, SessionDriver& driver,
                         session::ChannelId channel, Place place)
    : websocket_(std::move(websocket)),
      driver_(&driver),
      channel_(channel),
      place_(std::move(place)),
      wake_(websocket_.executor()),
      frame_(websocket_.new_frame()) {
    net::limit_unsent(websocket_.stream().descriptor(), kUnsentLimit);
}

void SessionLink::start(const std::shared_ptr<SessionDriver>& driver) {
    net::spawn(websocket_.executor(), read(shared_from_this(), driver));
    net::spawn(websocket_.executor(), write(shared_from_this(), driver));
}

net::awaitable<void> SessionLink::read(std::shared_ptr<SessionLink> self,
                                       std::shared_ptr<SessionDriver> driver) {
    std::string why = co_await self->read_until_end();
    if (!self->why_.empty()) why = self->why_;
    self->over_ = true;
    if (self->deadline_ && self->deadline_->expired()) ops::reached(ops::Limit::unanswered_closes);
    self->deadline_.reset();
    self->websocket_.interrupt();
    self->wake_.notify_all();
    driver->on_link_over(self->channel_, why);
}

net::awaitable<std::string> SessionLink::read_until_end() {
    std::size_t read = 0;
    for (;;) {
        auto next = websocket_.receive_buffered();
        if (!next) {
            // What is there already is carried out together, up to a turn: of several bulk streams
            // each socket is then written to once, and not for each of their frames.
            if (websocket_.read_more()) continue;
            driver_->pump();
            auto received = co_await websocket_.receive();
            next.emplace(std::move(received));
        }
        const auto& piece = *next;
        if (!piece) co_return printable(piece.error().message());
        if (!*piece) break;
        const ByteSpan payload = (*piece)->payload;
        if (ending_ == Ending::none) {
            const auto done = driver_->on_link_bytes(channel_, payload);
            if (!done) {
                // The session has put the reason into its output, for the peer to read.
                why_ = printable(done.error().message());
                begin_close(Ending::violated);
            }
        }
        read += payload.size();
        if (read < kReadTurn) continue;
        read = 0;
        driver_->pump();
        co_await net::give_way();
    }
    const auto& close = *websocket_.close_received();
    co_return "closed by the relay with code " + std::to_string(close.code) +
        (close.reason.empty() ? "" : ": " + printable(close.reason));
}

net::awaitable<void> SessionLink::write(std::shared_ptr<SessionLink> self,
                                        std::shared_ptr<SessionDriver> driver) {
    while (!self->over_) {
        if (self->frame_.size() == 0 && !self->take_output()) {
            if (self->ending_ != Ending::none) {
                self->websocket_.send_close(kNormalClosure, "");
                break;
            }
            self->idle_ = true;
            co_await self->wake_.wait();
            self->idle_ = false;
            continue;
        }
        const auto sent = co_await self->websocket_.send(self->frame_);
        if (!sent) {
            self->websocket_.interrupt();  // the reader says so
            break;
        }
    }
    (void)driver;  // kept until here
}

bool SessionLink::take_output() {
    driver_->take_output(channel_, frame_);
    return frame_.size() > 0;
}

void SessionLink::fetch_output() {
    if (!idle_ || over_ || frame_.size() > 0) return;
    if (!take_output()) return;
    // Most of the time the socket takes it, and there is nothing to wait for.
    if (websocket_.try_send(frame_) && !take_output()) return;
    wake_.notify_all();
}

void SessionLink::close() {
    begin_close(Ending::intended);
}

void SessionLink::begin_close(Ending ending) {
    if (over_ || ending_ != Ending::none) return;
    ending_ = ending;
    deadline_.emplace(websocket_.stream(), kCloseLimit);
    wake_.notify_all();
}

void SessionLink::cut(const std::string& why) {
    if (over_) return;
    if (why_.empty()) why_ = why;
    websocket_.interrupt();
}

}  // namespace hpb::agent::tunnel_v2
