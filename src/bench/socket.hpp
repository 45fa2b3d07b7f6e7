// bench: the load generator behind `hpb bench` and bench/run. It measures a path from outside, so
// it has nothing to do with the code that it measures: plain sockets and epoll, one thread for what
// is timed. Failures are exceptions: a measurement that has failed has no result.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace hpb::bench {

struct Address {
    std::string host;
    std::uint16_t port = 0;
};

/// A socket. Closes itself.
class Socket {
public:
    Socket() = default;
    explicit Socket(int descriptor) : descriptor_(descriptor) {}
    Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket();

    [[nodiscard]] int descriptor() const { return descriptor_; }
    [[nodiscard]] int release() { return std::exchange(descriptor_, -1); }

private:
    int descriptor_ = -1;
};

/// A socket address, looked up once: what is timed does not ask for names.
struct Destination {
    std::vector<std::byte> bytes;
    int family = 0;
    std::string text;
};
[[nodiscard]] Destination resolve(const Address& address);

/// A connection that is being made: non-blocking, without delays for small writes.
[[nodiscard]] Socket begin_connect(const Destination& to);
/// ... and waits until it is made. Blocking from then on, with a limit of ten seconds for a read or
/// a write.
[[nodiscard]] Socket connect(const Destination& to);
/// Why a connection could not be made; 0 if it was.
[[nodiscard]] int connect_error(const Socket& socket);

/// @return where it listens, the port filled in.
[[nodiscard]] std::pair<Socket, Address> listen(const Address& at);

void set_blocking(const Socket& socket, bool blocking);
void send_all(const Socket& socket, ByteSpan bytes);
[[nodiscard]] std::string error_text(const std::string& what, int error);

}  // namespace hpb::bench
