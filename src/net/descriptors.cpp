#include "net/descriptors.hpp"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::net {
namespace {

constexpr std::chrono::milliseconds kPause{50};

std::atomic<std::size_t>& reserve() {
    static std::atomic<std::size_t> number{kReservedDescriptors};
    return number;
}

// Asked for each time: an operator may raise the limit of a running process.
std::size_t limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return SIZE_MAX;
    return static_cast<std::size_t>(limit.rlim_cur);
}

std::size_t first_reserved() {
    const std::size_t all = limit();
    return all - std::min(reserve().load(std::memory_order_relaxed), all / kMaxReservedPart);
}

bool admit_line(std::uint64_t& suppressed) {
    static std::mutex mutex;
    static ops::LogLimiter limiter{std::chrono::seconds(10)};
    const std::lock_guard lock(mutex);
    return limiter.admit(Clock::now(), suppressed);
}

}  // namespace

void reserve_descriptors(std::size_t more) {
    reserve().fetch_add(more, std::memory_order_relaxed);
}

bool is_reserved_descriptor(int descriptor) {
    return descriptor >= 0 && static_cast<std::size_t>(descriptor) >= first_reserved();
}

bool descriptors_are_short() {
    const int probe = ::eventfd(0, EFD_CLOEXEC);
    if (probe < 0) return true;
    ::close(probe);
    return is_reserved_descriptor(probe);
}

std::string descriptor_shortage() {
    const std::size_t all = limit();
    return "this process may open " + std::to_string(all) + " files, and only the last " +
           std::to_string(all - first_reserved()) +
           ", reserved for reaching the relay, are free; raise the limit of open files "
           "(LimitNOFILE, ulimit -n)";
}

awaitable<void> wait_for_descriptors(int accepted, const char* component, std::string name) {
    if (!is_reserved_descriptor(accepted)) co_return;
    ops::reached(ops::Limit::descriptor_shortages);
    std::uint64_t suppressed = 0;
    if (admit_line(suppressed)) {
        ops::log_error(component, "{}: new connections wait until others end: {}", name,
                       descriptor_shortage());
    }
    while (descriptors_are_short()) co_await sleep_for(kPause);
}

}  // namespace hpb::net
