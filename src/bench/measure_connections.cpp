#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <stdexcept>

#include "bench/measure.hpp"

namespace hpb::bench {
namespace {

using Seconds = std::chrono::duration<double>;
using std::chrono::milliseconds;

constexpr auto kPatience = std::chrono::seconds(10);
constexpr std::size_t kIdleInFlight = 64;
constexpr std::string_view kProbe = "ex";  // Ask::echo, and the byte that comes back

/// Opens connections, so many at a time, and sees a byte return on each.
class Opener {
public:
    Opener(const std::vector<Address>& to, std::size_t in_flight) : attempts_(in_flight) {
        for (const Address& address : to) destinations_.push_back(resolve(address));
    }

    [[nodiscard]] bool can_begin() const { return running_ < attempts_.size(); }
    [[nodiscard]] std::size_t running() const { return running_; }
    [[nodiscard]] std::uint64_t failed() const { return failed_; }
    [[nodiscard]] const std::string& failure() const { return failure_; }

    void begin() {
        Attempt& attempt = *std::find_if(attempts_.begin(), attempts_.end(), [](const Attempt& a) {
            return a.socket.descriptor() < 0;
        });
        attempt.begun = Clock::now();
        attempt.socket = begin_connect(destinations_[turn_++ % destinations_.size()]);
        attempt.connected = false;
        poller_.add(attempt.socket.descriptor(), EPOLLOUT, &attempt);
        ++running_;
    }

    /// Waits for something to happen. @param opened  is given each connection whose byte is back.
    template <class Opened>
    void step(const Opened& opened) {
        const auto events = poller_.wait(Clock::now() + kPatience);
        if (events.empty()) throw std::runtime_error("nothing has answered for ten seconds");
        for (const epoll_event& event : events) {
            Attempt& attempt = *static_cast<Attempt*>(event.data.ptr);
            if (!attempt.connected) {
                send_probe(attempt);
                continue;
            }
            char byte = 0;
            const auto n = ::recv(attempt.socket.descriptor(), &byte, 1, 0);
            if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            if (n == 1) {
                poller_.remove(attempt.socket.descriptor());
                --running_;
                opened(std::exchange(attempt.socket, Socket()), Clock::now() - attempt.begun);
            } else {
                fail(attempt, n == 0 ? "it was closed" : error_text("no answer", errno));
            }
        }
    }

private:
    struct Attempt {
        Socket socket;
        Clock::time_point begun;
        bool connected = false;
    };

    void send_probe(Attempt& attempt) {
        if (const int error = connect_error(attempt.socket); error != 0) {
            return fail(attempt, error_text("cannot connect", error));
        }
        attempt.connected = true;
        const auto n =
            ::send(attempt.socket.descriptor(), kProbe.data(), kProbe.size(), MSG_NOSIGNAL);
        if (n != static_cast<ssize_t>(kProbe.size())) {
            return fail(attempt, error_text("cannot send", errno));
        }
        poller_.change(attempt.socket.descriptor(), EPOLLIN, &attempt);
    }

    void fail(Attempt& attempt, std::string why) {
        ++failed_;
        failure_ = std::move(why);
        --running_;
        attempt.socket = Socket();
    }

    std::vector<Destination> destinations_;
    std::vector<Attempt> attempts_;
    Poller poller_;
    std::size_t turn_ = 0;
    std::size_t running_ = 0;
    std::uint64_t failed_ = 0;
    std::string failure_;
};

[[noreturn]] void throw_nothing_opened(const Opener& opener) {
    throw std::runtime_error("no connection could be used, the last one because: " +
                             opener.failure());
}

}  // namespace

Rate measure_rate(const Plan& plan, std::size_t in_flight, std::optional<std::uint64_t> count) {
    Opener opener(plan.to, in_flight);
    Rate rate;
    const auto start = Clock::now();
    const auto end = start + std::chrono::duration_cast<Clock::duration>(plan.seconds);
    std::uint64_t begun = 0;
    const auto more = [&] { return (!count || begun < *count) && Clock::now() < end; };
    while (opener.running() > 0 || more()) {
        for (; opener.can_begin() && more(); ++begun) opener.begin();
        if (opener.running() == 0) break;
        opener.step([&](const Socket&, Clock::duration time) {
            ++rate.connections;
            rate.times.add(time);
        });
        if (rate.connections == 0 && opener.failed() > 2 * in_flight) throw_nothing_opened(opener);
    }
    rate.failed = opener.failed();
    rate.seconds = Seconds(Clock::now() - start).count();
    return rate;
}

std::size_t hold_idle(const Plan& plan, std::size_t count,
                      const std::function<void(std::size_t, std::size_t)>& opened) {
    Opener opener(plan.to, std::min(count, kIdleInFlight));
    std::vector<Socket> held;
    held.reserve(count);
    std::size_t begun = 0;
    while (opener.running() > 0 || begun < count) {
        for (; opener.can_begin() && begun < count; ++begun) opener.begin();
        opener.step([&](Socket socket, Clock::duration) { held.push_back(std::move(socket)); });
        if (held.empty() && opener.failed() > 2 * kIdleInFlight) throw_nothing_opened(opener);
    }
    opened(held.size(), opener.failed());
    std::size_t alive = 0;
    for (const Socket& socket : held) {
        char byte = 0;
        const auto n = ::recv(socket.descriptor(), &byte, 1, MSG_DONTWAIT);
        alive += n < 0 && errno == EAGAIN ? 1U : 0U;
    }
    return alive;
}

}  // namespace hpb::bench
