#pragma once

#include <memory>
#include <string>
#include <vector>

#include "faults/command.hpp"
#include "faults/connection.hpp"
#include "net/acceptor.hpp"

namespace hpb::faults {

/// One listening address, its target, and what is wrong between them. Lives on the thread of its
/// io_context; its coroutine and timers keep it alive.
class Link : public std::enable_shared_from_this<Link> {
public:
    /// Beyond this, new connections are reset at once.
    static constexpr std::size_t kMaxConnections = 10000;

    Link(net::asio::io_context& context, LinkOptions options);

    /// Listens. @return an error that names the link and the address.
    [[nodiscard]] Result<void> open();
    /// Resets every connection and stops to listen: nothing goes on afterwards.
    void close();

    /// Does what a command says. @return what to tell beside "ok": empty but for stats.
    [[nodiscard]] Result<std::string> apply(const Action& action);

    [[nodiscard]] const std::string& name() const { return options_.name; }
    /// Where it listens, with the port that the system has chosen.
    [[nodiscard]] const net::tcp::endpoint& endpoint() const { return endpoint_; }
    [[nodiscard]] net::asio::any_io_executor executor() const { return executor_; }

private:
    void stop_listening();
    void take(net::Stream client);
    void enter(Mode mode, const Action& action);
    void refuse(const Action& action);
    void change(const SettingsChange& change);
    /// Calls `undo` after the action's duration, if it has one.
    void later(net::asio::steady_timer& timer, const Action& action, void (Link::*undo)());
    void resume();
    void listen_again();
    template <class Function>
    void for_each(Function function);
    [[nodiscard]] std::string stats() const;

    net::asio::any_io_executor executor_;
    LinkOptions options_;
    std::shared_ptr<LinkState> state_;
    net::tcp::endpoint endpoint_;
    std::shared_ptr<net::Acceptor> acceptor_;  // null while it refuses
    net::asio::steady_timer resume_timer_;
    net::asio::steady_timer accept_timer_;
    std::uint64_t accepted_ = 0;
    std::vector<std::weak_ptr<Connection>> connections_;
};

}  // namespace hpb::faults
