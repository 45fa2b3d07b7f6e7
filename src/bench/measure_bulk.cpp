#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <stdexcept>
#include <thread>

#include "bench/bulk_streams.hpp"
#include "bench/measure.hpp"

namespace hpb::bench {
namespace {

using Seconds = std::chrono::duration<double>;

std::vector<Destination> resolve_all(const std::vector<Address>& addresses) {
    std::vector<Destination> found;
    found.reserve(addresses.size());
    for (const Address& address : addresses) found.push_back(resolve(address));
    return found;
}

Clock::time_point after(Clock::time_point from, Seconds time) {
    return from + std::chrono::duration_cast<Clock::duration>(time);
}

/// One byte there and back.
void ping(const Socket& socket) {
    const std::byte out{'x'};
    send_all(socket, {&out, 1});
    char in = 0;
    const auto n = ::recv(socket.descriptor(), &in, 1, 0);
    if (n == 0) throw std::runtime_error("the connection ended while it was measured");
    if (n < 0) throw std::runtime_error(error_text("no answer to a byte", errno));
}

/// Bulk streams on a thread of their own.
class Background {
public:
    explicit Background(BulkStreams& streams)
        : thread_([this, &streams] {
              try {
                  while (!stop_) streams.run(Clock::now() + std::chrono::milliseconds(50));
              } catch (...) {
                  failure_ = std::current_exception();
              }
          }) {}
    ~Background() { end(); }

    void join() {
        end();
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    void end() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }

    std::atomic<bool> stop_{false};
    std::exception_ptr failure_;
    std::thread thread_;
};

}  // namespace

Throughput measure_throughput(const Plan& plan, std::size_t streams, Direction direction) {
    BulkStreams bulk(resolve_all(plan.to), streams, direction);
    bulk.run(after(Clock::now(), plan.warm_up));
    const auto begin = Clock::now();
    const std::uint64_t before = bulk.bytes();
    bulk.run(after(begin, plan.seconds));
    return {Seconds(Clock::now() - begin).count(), bulk.bytes() - before};
}

Latency measure_latency(const Plan& plan, std::size_t bulk, Direction direction) {
    const auto to = resolve_all(plan.to);
    const Socket socket = connect(to.front());
    const std::byte ask{static_cast<unsigned char>(Ask::echo)};
    send_all(socket, {&ask, 1});
    ping(socket);

    BulkStreams streams(to, bulk, direction);
    std::optional<Background> background;
    if (bulk > 0) background.emplace(streams);
    const auto begin = after(Clock::now(), plan.warm_up);
    while (Clock::now() < begin) ping(socket);

    Latency result;
    const std::uint64_t before = streams.bytes();
    const auto start = Clock::now();
    const auto end = after(start, plan.seconds);
    for (auto sent = start; sent < end;) {
        ping(socket);
        const auto now = Clock::now();
        result.round_trips.add(now - sent);
        sent = now;
    }
    const double seconds = Seconds(Clock::now() - start).count();
    result.bulk_bytes_per_second = static_cast<double>(streams.bytes() - before) / seconds;
    if (background) background->join();
    return result;
}

}  // namespace hpb::bench
