#pragma once

#include "net/signal.hpp"

namespace hpb::net {

/// A mutex for the coroutines of one thread: who waits for it lets the others go on. Those who wait
/// get it one after the other.
class AsyncMutex {
public:
    explicit AsyncMutex(const asio::any_io_executor& executor) : released_(executor) {}

    [[nodiscard]] awaitable<void> lock() {
        while (locked_) co_await released_.wait();
        locked_ = true;
    }
    /// Without waiting: nobody may have it.
    void take() { locked_ = true; }
    void unlock() {
        locked_ = false;
        released_.notify_one();
    }
    /// Waits until nobody has it, and leaves it at that.
    [[nodiscard]] awaitable<void> wait_until_free() {
        while (locked_) co_await released_.wait();
        released_.notify_one();
    }
    [[nodiscard]] bool locked() const { return locked_; }

private:
    Signal released_;
    bool locked_ = false;
};

}  // namespace hpb::net
