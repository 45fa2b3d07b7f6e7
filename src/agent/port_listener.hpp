#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/channel_slot.hpp"
#include "net/executor_pool.hpp"

namespace hpb::agent {

/// The local port of one mapping: admits applications and deals them out to the mapping's channel
/// slots in turn. Lives on one thread; an accepted socket belongs to its slot's thread from the
/// start.
class PortListener : public std::enable_shared_from_this<PortListener> {
public:
    /// Binds the port.
    /// @return an error that names the address and the reason.
    [[nodiscard]] static Result<std::shared_ptr<PortListener>> bind(
        net::ExecutorPool& pool, std::shared_ptr<const ClientContext> context,
        config::ClientMapping mapping);

    PortListener(net::tcp::acceptor acceptor, std::shared_ptr<const ClientContext> context,
                 config::ClientMapping mapping);

    /// Accepts until stop().
    static net::awaitable<void> run(std::shared_ptr<PortListener> self);
    /// On the listener's thread.
    void stop();

    /// What was bound: a port of 0 is resolved.
    [[nodiscard]] const net::tcp::endpoint& endpoint() const { return endpoint_; }
    [[nodiscard]] net::asio::any_io_executor executor() { return acceptor_.get_executor(); }

private:
    void make_slots(net::ExecutorPool& pool);
    void on_accepted(net::tcp::socket socket, const std::shared_ptr<ChannelSlot>& slot);

    net::tcp::acceptor acceptor_;
    net::tcp::endpoint endpoint_;
    std::shared_ptr<const ClientContext> context_;
    config::ClientMapping mapping_;
    std::shared_ptr<MappingNotes> notes_;
    std::vector<std::shared_ptr<ChannelSlot>> slots_;
    std::size_t turn_ = 0;
    ops::LogLimiter rejections_{std::chrono::seconds(1)};
    ops::LogLimiter failures_{std::chrono::seconds(10)};
};

/// An address as allow-lists compare it: IPv4 as ::ffff:a.b.c.d.
[[nodiscard]] config::IpBytes ip_bytes(const net::asio::ip::address& address);

}  // namespace hpb::agent
