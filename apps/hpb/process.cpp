#include "hpb/process.hpp"

#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <cstdlib>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#define HPB_LEAK_CHECK 1
#endif
#endif

#include "ops/log.hpp"

namespace hpb::app {
namespace {

constexpr std::chrono::milliseconds kDrainPoll{10};

}  // namespace

void print_ready(std::string_view role, const std::string& what) {
    std::printf("ready %.*s %s\n", static_cast<int>(role.size()), role.data(), what.c_str());
    std::fflush(stdout);
}

void print_error(std::string_view message) {
    std::fprintf(stderr, "hpb: error: %.*s\n", static_cast<int>(message.size()), message.data());
}

void Process::exit(int code) {
    int unset = -1;
    code_.compare_exchange_strong(unset, code);
    pool_.stop();
}

net::awaitable<void> Process::handle_signals(Drain drain) {
    net::asio::signal_set signals(pool_.first(), SIGTERM, SIGINT);
    co_await signals.async_wait(net::kAsTuple);
    ops::log_info("process", "stopping; a second signal stops at once");
    drain.begin();
    signals.async_wait([this](net::error_code error, int) {
        if (!error) exit(0);
    });
    const auto deadline = net::Clock::now() + drain.limit;
    while (!(drain.is_done && drain.is_done()) && net::Clock::now() < deadline) {
        co_await net::sleep_for(kDrainPoll);
    }
    exit(0);
}

void Process::on_status_request(std::function<void()> tell) {
    net::spawn(pool_.first(), handle_status_requests(std::move(tell)));
}

net::awaitable<void> Process::handle_status_requests(std::function<void()> tell) {
    net::asio::signal_set signals(pool_.first(), SIGUSR1);
    for (;;) {
        const auto [error, number] = co_await signals.async_wait(net::kAsTuple);
        if (error) co_return;
        (void)number;
        tell();
    }
}

void Process::run(Drain drain) {
    net::spawn(pool_.first(), handle_signals(std::move(drain)));
    pool_.run();
    ops::shut_down_log();
    std::fflush(nullptr);
#if HPB_LEAK_CHECK
    __lsan_do_leak_check();
#endif
    std::_Exit(code_.load());
}

}  // namespace hpb::app
