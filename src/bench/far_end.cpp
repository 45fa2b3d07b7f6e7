#include "bench/far_end.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

#include "bench/poller.hpp"
#include "bench/traffic.hpp"

namespace hpb::bench {
namespace {

constexpr auto kForever = std::chrono::hours(24);
constexpr std::size_t kEchoChunk = 16 * 1024;

bool would_block() {
    return errno == EAGAIN || errno == EINTR;
}

/// One connection. Small: there may be tens of thousands that do nothing.
struct Peer {
    Socket socket;
    bool asked = false;
    Ask ask = Ask::echo;
    std::string unsent;  // of an echo that the socket did not take
};

/// The thread of bulk traffic.
class BulkThread {
public:
    BulkThread() : wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), buffer_(kChunk) {
        poller_.add(wake_.descriptor(), EPOLLIN, nullptr);
        std::thread([this] { run(); }).detach();
    }

    void take(std::unique_ptr<Peer> peer) {
        {
            const std::lock_guard lock(mutex_);
            arrived_.push_back(std::move(peer));
        }
        const std::uint64_t one = 1;
        (void)!::write(wake_.descriptor(), &one, sizeof one);
    }

private:
    [[noreturn]] void run() {
        for (;;) {
            for (const epoll_event& event : poller_.wait(Clock::now() + kForever)) {
                if (event.data.ptr == nullptr) {
                    accept_arrived();
                } else if (!serve(*static_cast<Peer*>(event.data.ptr), event.events)) {
                    delete static_cast<Peer*>(event.data.ptr);
                }
            }
        }
    }

    void accept_arrived() {
        std::uint64_t count = 0;
        (void)!::read(wake_.descriptor(), &count, sizeof count);
        const std::lock_guard lock(mutex_);
        for (auto& peer : arrived_) {
            std::uint32_t events = EPOLLRDHUP;
            if (peer->ask != Ask::generate) events |= EPOLLIN;
            if (peer->ask != Ask::sink) events |= EPOLLOUT;
            const int descriptor = peer->socket.descriptor();
            poller_.add(descriptor, events, peer.release());  // run() deletes it
        }
        arrived_.clear();
    }

    // @return false once the connection has ended.
    bool serve(Peer& peer, std::uint32_t events) {
        const int fd = peer.socket.descriptor();
        if ((events & (EPOLLERR | EPOLLHUP)) != 0) return false;
        if ((events & EPOLLIN) != 0 && peer.ask != Ask::generate) {
            const auto n = ::recv(fd, buffer_.data(), buffer_.size(), 0);
            if (n == 0 || (n < 0 && !would_block())) return false;
        }
        if ((events & EPOLLRDHUP) != 0 && peer.ask == Ask::generate) return false;
        if ((events & EPOLLOUT) != 0) {
            const auto n = ::send(fd, buffer_.data(), buffer_.size(), MSG_NOSIGNAL);
            if (n < 0 && !would_block()) return false;
        }
        return true;
    }

    Poller poller_;
    Socket wake_;
    std::vector<std::byte> buffer_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Peer>> arrived_;
};

/// Accepts, and echoes.
class FarEnd {
public:
    void add_listener(Socket socket) {
        auto listener = std::make_unique<Peer>();
        listener->socket = std::move(socket);
        poller_.add(listener->socket.descriptor(), EPOLLIN, listener.get());
        listeners_.push_back(std::move(listener));
    }

    [[noreturn]] void run() {
        for (;;) {
            for (const epoll_event& event : poller_.wait(Clock::now() + kForever)) {
                Peer& peer = *static_cast<Peer*>(event.data.ptr);
                if (is_listener(peer)) {
                    accept_all(peer.socket);
                } else if (!serve(peer, event.events)) {
                    delete &peer;
                }
            }
        }
    }

private:
    [[nodiscard]] bool is_listener(const Peer& peer) const {
        for (const auto& listener : listeners_) {
            if (listener.get() == &peer) return true;
        }
        return false;
    }

    void accept_all(const Socket& listener) {
        for (;;) {
            const int fd =
                ::accept4(listener.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) return;  // none is left, or no descriptor: the next event tries again
            const int on = 1;
            (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            auto peer = std::make_unique<Peer>();
            peer->socket = Socket(fd);
            if (!serve(*peer, EPOLLIN)) continue;  // what it asks for often comes along
            const std::uint32_t events = peer->unsent.empty() ? EPOLLIN : EPOLLOUT;
            poller_.add(fd, events, peer.release());  // run() deletes it
        }
    }

    // @return false once the connection has ended, or is another thread's.
    bool serve(Peer& peer, std::uint32_t events) {
        const int fd = peer.socket.descriptor();
        if ((events & EPOLLOUT) != 0 && !flush(peer)) return false;
        if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0) return true;
        const auto n = ::recv(fd, buffer_.data(), buffer_.size(), 0);
        if (n < 0) return would_block();
        if (n == 0) return false;
        std::string_view data(buffer_.data(), static_cast<std::size_t>(n));
        if (!peer.asked) {
            peer.asked = true;
            peer.ask = static_cast<Ask>(data.front());
            data.remove_prefix(1);
            if (peer.ask != Ask::echo) {
                hand_over(peer);
                return false;
            }
        }
        return echo(peer, data);
    }

    bool echo(Peer& peer, std::string_view data) {
        if (data.empty()) return true;
        const int fd = peer.socket.descriptor();
        const auto n = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
        if (n < 0 && !would_block()) return false;
        data.remove_prefix(n < 0 ? 0 : static_cast<std::size_t>(n));
        if (data.empty()) return true;
        // Nothing more is read until it is out: the memory is bounded by one read.
        peer.unsent = data;
        poller_.change(fd, EPOLLOUT, &peer);
        return true;
    }

    bool flush(Peer& peer) {
        const int fd = peer.socket.descriptor();
        const auto n = ::send(fd, peer.unsent.data(), peer.unsent.size(), MSG_NOSIGNAL);
        if (n < 0) return would_block();
        peer.unsent.erase(0, static_cast<std::size_t>(n));
        if (peer.unsent.empty()) poller_.change(fd, EPOLLIN, &peer);
        return true;
    }

    void hand_over(Peer& peer) {
        poller_.remove(peer.socket.descriptor());
        auto moved = std::make_unique<Peer>();
        std::swap(*moved, peer);
        bulk_.take(std::move(moved));
    }

    Poller poller_;
    BulkThread bulk_;
    std::vector<std::unique_ptr<Peer>> listeners_;
    std::array<char, kEchoChunk> buffer_{};
};

}  // namespace

void serve_far_end(const std::vector<Address>& at,
                   const std::function<void(const Address&)>& started) {
    FarEnd end;
    for (const Address& address : at) {
        auto [socket, actual] = listen(address);
        end.add_listener(std::move(socket));
        started(actual);
    }
    end.run();
}

}  // namespace hpb::bench
