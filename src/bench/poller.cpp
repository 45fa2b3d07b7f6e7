#include "bench/poller.hpp"

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace hpb::bench {
namespace {

constexpr std::size_t kAtOnce = 256;

}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), ready_(kAtOnce) {
    if (epoll_.descriptor() < 0) throw std::runtime_error(error_text("epoll_create1", errno));
}

void Poller::add(int descriptor, std::uint32_t events, void* owner) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = owner;
    if (::epoll_ctl(epoll_.descriptor(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
        throw std::runtime_error(error_text("epoll_ctl", errno));
    }
}

void Poller::change(int descriptor, std::uint32_t events, void* owner) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = owner;
    (void)::epoll_ctl(epoll_.descriptor(), EPOLL_CTL_MOD, descriptor, &event);
}

void Poller::remove(int descriptor) {
    (void)::epoll_ctl(epoll_.descriptor(), EPOLL_CTL_DEL, descriptor, nullptr);
}

std::span<const epoll_event> Poller::wait(Clock::time_point deadline) {
    using std::chrono::milliseconds;
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    const int timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    const int n =
        ::epoll_wait(epoll_.descriptor(), ready_.data(), static_cast<int>(ready_.size()), timeout);
    return {ready_.data(), static_cast<std::size_t>(std::max(n, 0))};
}

}  // namespace hpb::bench
