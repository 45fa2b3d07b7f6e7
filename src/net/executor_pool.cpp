#include "net/executor_pool.hpp"

#include <algorithm>

#include "net/busy_poll.hpp"

namespace hpb::net {

ExecutorPool::ExecutorPool(unsigned threads, std::chrono::microseconds busy_poll)
    : busy_poll_(busy_poll) {
    const unsigned count =
        threads != 0 ? threads : std::max(1u, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < count; ++i) {
        contexts_.push_back(std::make_unique<asio::io_context>(1));
        guards_.push_back(asio::make_work_guard(*contexts_.back()));
        // The context's reactor opens its descriptors now rather than with the first connection, so
        // that their number only ever tells of connections.
        const asio::steady_timer first_use(*contexts_.back());
    }
}

ExecutorPool::~ExecutorPool() {
    stop();
    join();
}

void ExecutorPool::run() {
    try {
        for (std::size_t i = 1; i < contexts_.size(); ++i)
            threads_.emplace_back([this, i] { run_polling(*contexts_[i], busy_poll_); });
    } catch (...) {
        // Nothing may run any more when whoever called takes its things down.
        stop();
        join();
        throw;
    }
    run_polling(*contexts_.front(), busy_poll_);
    join();
}

void ExecutorPool::join() {
    for (auto& thread : threads_) thread.join();
    threads_.clear();
}

void ExecutorPool::stop() {
    for (auto& context : contexts_) context->stop();
}

asio::io_context& ExecutorPool::next() {
    return *contexts_[turn_.fetch_add(1, std::memory_order_relaxed) % contexts_.size()];
}

}  // namespace hpb::net
