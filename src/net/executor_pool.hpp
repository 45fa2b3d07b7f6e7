#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "net/coro.hpp"

namespace hpb::net {

/// One io_context and one thread per core. An object that lives on one of them is never touched
/// from another.
class ExecutorPool {
public:
    /// @param threads  0: one per core. @param busy_poll  see run_polling().
    explicit ExecutorPool(unsigned threads, std::chrono::microseconds busy_poll = {});
    ~ExecutorPool();
    ExecutorPool(const ExecutorPool&) = delete;
    ExecutorPool& operator=(const ExecutorPool&) = delete;

    /// Runs the first context on the calling thread and the others on their own until stop().
    /// Throws std::system_error if a thread cannot be started; then none runs.
    void run();
    /// Callable from any thread.
    void stop();

    [[nodiscard]] asio::io_context& first() { return *contexts_.front(); }
    [[nodiscard]] asio::io_context& at(std::size_t index) { return *contexts_[index]; }
    /// The contexts in turn. Callable from any thread.
    [[nodiscard]] asio::io_context& next();
    [[nodiscard]] std::size_t size() const { return contexts_.size(); }

private:
    void join();

    std::chrono::microseconds busy_poll_;
    std::vector<std::unique_ptr<asio::io_context>> contexts_;
    std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
    std::vector<std::thread> threads_;
    std::atomic<std::size_t> turn_{0};
};

}  // namespace hpb::net
