#pragma once

#include <boost/asio/signal_set.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/executor_pool.hpp"
#include "ops/log.hpp"

namespace hpb::app {

/// The one line on standard output that says a role can serve: "ready relay 127.0.0.1:8443".
void print_ready(std::string_view role, const std::string& what);

/// The form of the lines below: JSON where the log is to be JSON.
void set_error_format(ops::LogFormat format);
/// One line on standard error for a failure that ends the process.
void print_error(std::string_view message);
void print_warning(std::string_view message);

/// Before anything else: opens what of standard input, output and error is closed to /dev/null, so
/// that nothing else gets their numbers, and ignores the signals that are not meant to end a role
/// (SIGPIPE, SIGUSR1, SIGUSR2).
void prepare_process();

/// Runs a role until it is told to stop, and ends the process in good order. SIGTERM and SIGINT
/// stop it, SIGHUP reopens the log's file, SIGUSR1 asks how it is doing.
class Process {
public:
    /// The parameters are ExecutorPool's.
    Process(unsigned threads, std::chrono::microseconds busy_poll);

    [[nodiscard]] net::ExecutorPool& pool() { return pool_; }

    /// Ends run() with this exit code. Callable from any thread; the first call counts.
    void exit(int code);

    /// How a role stops when it is told to.
    struct Drain {
        std::function<void()> begin;  ///< called once, on the first thread
        std::function<bool()>
            is_done;  ///< asked from then on, if there is one: is anything left to wait for?
        std::chrono::milliseconds limit;
    };

    /// What SIGUSR1 does from now on: a role says how it is doing, and the process which limits it
    /// has reached. Called on the first thread. Without it the signal is ignored.
    void on_status_request(std::function<void()> tell);

    /// Serves until exit(), or until SIGTERM or SIGINT and the drain that follows; a second signal
    /// ends that at once. Ends the process: coroutines that are suspended then refer to each other
    /// across threads, and taking them apart in the right order would only give back what the
    /// system reclaims anyway.
    [[noreturn]] void run(Drain drain);

private:
    [[nodiscard]] net::awaitable<void> handle_signals(Drain drain);
    [[nodiscard]] net::awaitable<void> handle_status_requests(std::function<void()> tell);
    [[nodiscard]] net::awaitable<void> handle_reopen_requests();

    net::ExecutorPool pool_;
    // From the beginning: a signal that comes before a role is ready is kept until run().
    net::asio::signal_set stop_requests_;
    net::asio::signal_set status_requests_;
    net::asio::signal_set reopen_requests_;
    std::atomic<int> code_{-1};
};

}  // namespace hpb::app
