#include "bench/bulk_streams.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>

namespace hpb::bench {

BulkStreams::BulkStreams(const std::vector<Destination>& to, std::size_t streams,
                         Direction direction)
    : buffer_(kChunk) {
    const Ask ask = ask_for(direction);
    const auto first = static_cast<std::byte>(ask);
    const std::uint32_t events = (ask != Ask::sink ? std::uint32_t{EPOLLIN} : 0) |
                                 (ask != Ask::generate ? std::uint32_t{EPOLLOUT} : 0);
    for (std::size_t i = 0; i < streams; ++i) {
        Socket socket = connect(to[i % to.size()]);
        send_all(socket, {&first, 1});
        set_blocking(socket, false);
        sockets_.push_back(std::move(socket));
    }
    for (Socket& socket : sockets_) poller_.add(socket.descriptor(), events, &socket);
}

void BulkStreams::run(Clock::time_point until) {
    while (Clock::now() < until) {
        for (const epoll_event& event : poller_.wait(until)) {
            serve(*static_cast<const Socket*>(event.data.ptr), event.events);
        }
    }
}

void BulkStreams::serve(const Socket& socket, std::uint32_t events) {
    const auto count = [&](ssize_t n, bool reads) {
        if (n > 0) bytes_.fetch_add(static_cast<std::uint64_t>(n), std::memory_order_relaxed);
        if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return;
        if (n == 0 && reads) throw std::runtime_error("a bulk connection ended while it was used");
        throw std::runtime_error(error_text("a bulk connection failed", errno));
    };
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
        count(::recv(socket.descriptor(), buffer_.data(), buffer_.size(), 0), true);
    }
    if ((events & EPOLLOUT) != 0) {
        count(::send(socket.descriptor(), buffer_.data(), buffer_.size(), MSG_NOSIGNAL), false);
    }
}

}  // namespace hpb::bench
