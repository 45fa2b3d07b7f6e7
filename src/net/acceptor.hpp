#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "net/endpoint.hpp"
#include "ops/log.hpp"

namespace hpb::net {

/// A listening socket and its accept loop: the one policy for what to do when there are no
/// descriptors, for the log lines about it, and for its end. On the thread of its executor.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
public:
    struct Options {
        const char* component = "";  ///< of log lines
        std::string name;            ///< of log lines; "": the endpoint's text
        std::string setting;         ///< what an error tells to check: a key of the configuration
        int backlog = 4096;
        bool only_v6 = false;              ///< [::] is to take no IPv4 connections
        bool clients_speak_first = false;  ///< see defer_accept()
        bool inherit_options = false;      ///< see set_inherited_options()
        bool keeps_reserve = true;         ///< see wait_for_descriptors()
    };
    /// The executor of the next connection.
    using NextExecutor = std::function<asio::any_io_executor()>;
    /// On the acceptor's thread, whatever the connection's executor is.
    using OnConnection = std::function<void(Stream stream, const tcp::endpoint& peer)>;

    /// Binds, or adopts what was inherited. @return an error in one line: what could not be bound,
    /// why, and what to do.
    [[nodiscard]] static Result<std::shared_ptr<Acceptor>> listen(
        const asio::any_io_executor& executor, const Endpoint& where, Options options);

    /// Accepts until close(). `on_connection` keeps alive what it needs.
    void start(OnConnection on_connection, NextExecutor next_executor = nullptr);
    void close();
    /// Ends accepting and gives the listening socket away, with the connections that wait in it.
    [[nodiscard]] int release();

    /// What was bound: a port of 0 is resolved.
    [[nodiscard]] const tcp::endpoint& local_endpoint() const { return bound_; }
    [[nodiscard]] bool is_open() const { return socket_.is_open(); }
    [[nodiscard]] asio::any_io_executor executor() { return socket_.get_executor(); }

    /// For listen().
    Acceptor(const asio::any_io_executor& executor, Options options);

private:
    using Socket = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

    [[nodiscard]] error_code open(const Endpoint& where);
    [[nodiscard]] error_code bind_unix(const std::string& path);
    static awaitable<void> run(std::shared_ptr<Acceptor> self, OnConnection on_connection,
                               NextExecutor next_executor);
    void tell_failure(const error_code& error);

    Socket socket_;
    Options options_;
    tcp::endpoint bound_;
    std::string path_;  // of a Unix socket that goes when we do
    ops::LogLimiter failures_{std::chrono::seconds(10)};
};

}  // namespace hpb::net
