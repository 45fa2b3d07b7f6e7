#include "agent/unused_memory.hpp"

#include <malloc.h>

#include <atomic>
#include <chrono>

namespace hpb::agent {
namespace {

constexpr std::chrono::milliseconds kDelay{1000};

net::awaitable<void> give_back() {
    static std::atomic<bool> pending{false};
    if (pending.exchange(true)) co_return;
    co_await net::sleep_for(kDelay);
    pending = false;
    (void)::malloc_trim(0);
}

}  // namespace

void give_back_memory_soon(const net::asio::any_io_executor& executor) {
    net::spawn(executor, give_back());
}

}  // namespace hpb::agent
