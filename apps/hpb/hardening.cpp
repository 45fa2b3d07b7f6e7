#include "hpb/hardening.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

#include "ops/log.hpp"

namespace hpb::app {
namespace {

/// Of /proc/self/coredump_filter: the ELF headers, which name the build, and no memory of ours.
constexpr std::string_view kHeadersOnly = "0x10";
/// Threads that have not answered by then are told of in the log.
constexpr std::chrono::milliseconds kPatience{1000};
constexpr std::chrono::milliseconds kPoll{1};
/// A thread of the thread sanitizer's own takes no signals.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HPB_DEAF_THREADS 1
#endif
#endif
#ifndef HPB_DEAF_THREADS
#define HPB_DEAF_THREADS 0
#endif
constexpr std::size_t kDeafThreads = HPB_DEAF_THREADS;

/// Without the C library: it knows nothing of capabilities, which are a thread's own.
bool clear_own_capabilities() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    return ::syscall(SYS_capset, &header, none) == 0;
}

void on_signal(int) {
    const int before = errno;
    (void)clear_own_capabilities();
    errno = before;
}

bool has_capabilities(const std::filesystem::path& task) {
    std::ifstream status(task / "status");
    for (std::string line; std::getline(status, line);) {
        const std::string_view text = line;
        if (text.starts_with("CapPrm:"))
            return text.find_first_not_of("0 \t", sizeof "CapPrm:" - 1) != std::string_view::npos;
    }
    return false;  // the thread has ended, or there is no /proc
}

/// Asks every thread that has capabilities to clear them. @return how many have some.
std::size_t ask_threads(int signal) {
    std::size_t asked = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator task("/proc/self/task", error), end;
         !error && task != end; task.increment(error)) {
        if (!has_capabilities(task->path())) continue;
        const int thread = std::atoi(task->path().filename().c_str());
        (void)::syscall(SYS_tgkill, ::getpid(), thread, signal);
        ++asked;
    }
    return asked;
}

}  // namespace

void harden() {
    (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const char* allowed = std::getenv("HPB_CORE_DUMPS");
    if (allowed != nullptr && std::string_view(allowed) == "1") return;
    const rlimit none{};
    (void)::setrlimit(RLIMIT_CORE, &none);
    // A program that the kernel hands dumps to is not bound by the limit.
    std::ofstream("/proc/self/coredump_filter") << kHeadersOnly;
}

void drop_capabilities() {
    (void)clear_own_capabilities();
    const int signal = SIGRTMAX - 1;
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    if (::sigaction(signal, &action, nullptr) != 0) return;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    // A thread that is being started has those of the one that starts it.
    std::size_t left = ask_threads(signal);
    while (left > kDeafThreads && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(kPoll);
        left = ask_threads(signal);
    }
    if (left > kDeafThreads) {
        ops::log_warn("process", "{} threads keep their capabilities; run hpb as a dedicated user",
                      left);
    }
}

}  // namespace hpb::app
