#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/executor_pool.hpp"

namespace hpb::app {

/// The one line on standard output that says a role can serve: "ready relay 127.0.0.1:8443".
void print_ready(std::string_view role, const std::string& what);

/// One line on standard error for a failure that ends the process.
void print_error(std::string_view message);

/// Runs a role until it is told to stop, and ends the process in good order.
class Process {
public:
    explicit Process(unsigned threads) : pool_(threads) {}

    [[nodiscard]] net::ExecutorPool& pool() { return pool_; }

    /// Ends run() with this exit code. Callable from any thread; the first call counts.
    void exit(int code);

    /// Serves until exit(), SIGTERM or SIGINT. On a signal `drain` is called on the first thread and
    /// run() goes on for at most `drain_limit`, or until exit(); a second signal ends it at once.
    /// Ends the process: coroutines that are suspended then refer to each other across threads, and
    /// taking them apart in the right order would only give back what the system reclaims anyway.
    [[noreturn]] void run(std::function<void()> drain, std::chrono::milliseconds drain_limit);

private:
    [[nodiscard]] net::awaitable<void> handle_signals(std::function<void()> drain,
                                                      std::chrono::milliseconds drain_limit);

    net::ExecutorPool pool_;
    std::atomic<int> code_{-1};
};

}  // namespace hpb::app
