#include "hpb/process.hpp"

#include <fcntl.h>

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#define HPB_LEAK_CHECK 1
#endif
#endif

#include "ops/limits.hpp"
#include "ops/log.hpp"
#include "ops/log_format.hpp"

namespace hpb::app {
namespace {

constexpr std::chrono::milliseconds kDrainPoll{10};

ops::LogFormat error_format = ops::LogFormat::text;

void print_problem(ops::Level level, std::string_view kind, std::string_view message) {
    const std::string line =
        error_format == ops::LogFormat::json
            ? ops::format_line(ops::LogFormat::json, std::chrono::system_clock::now(), level, "hpb",
                               message)
            : fmt::format("hpb: {}: {}", kind, message);
    std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace

void prepare_process() {
    for (const int descriptor : {0, 1, 2}) {
        // The lowest free number is the one that was found closed.
        if (::fcntl(descriptor, F_GETFD) < 0) (void)::open("/dev/null", O_RDWR);
    }
    for (const int number : {SIGPIPE, SIGUSR1, SIGUSR2}) std::signal(number, SIG_IGN);
}

void print_ready(std::string_view role, const std::string& what) {
    std::printf("ready %.*s %s\n", static_cast<int>(role.size()), role.data(), what.c_str());
    std::fflush(stdout);
}

void set_error_format(ops::LogFormat format) {
    error_format = format;
}

void print_error(std::string_view message) {
    print_problem(ops::Level::error, "error", message);
}

void print_warning(std::string_view message) {
    print_problem(ops::Level::warn, "warning", message);
}

Process::Process(unsigned threads, std::chrono::microseconds busy_poll)
    : pool_(threads, busy_poll),
      stop_requests_(pool_.first(), SIGTERM, SIGINT),
      status_requests_(pool_.first(), SIGUSR1),
      reopen_requests_(pool_.first(), SIGHUP) {
    net::spawn(pool_.first(), handle_reopen_requests());
}

void Process::exit(int code) {
    int unset = -1;
    code_.compare_exchange_strong(unset, code);
    pool_.stop();
}

net::awaitable<void> Process::handle_signals(Drain drain) {
    (void)co_await stop_requests_.async_wait(net::kAsTuple);
    ops::log_info("process", "stopping; a second signal stops at once");
    drain.begin();
    stop_requests_.async_wait([this](net::error_code error, int) {
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
    for (;;) {
        const auto [error, number] = co_await status_requests_.async_wait(net::kAsTuple);
        if (error) co_return;
        (void)number;
        tell();
        ops::log_info("process", "{}", ops::limits_text());
    }
}

net::awaitable<void> Process::handle_reopen_requests() {
    for (;;) {
        const auto [error, number] = co_await reopen_requests_.async_wait(net::kAsTuple);
        if (error) co_return;
        (void)number;
        ops::reopen_log();
        ops::log_info("process",
                      "SIGHUP: reopened the log file; the configuration is read only at the start");
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
