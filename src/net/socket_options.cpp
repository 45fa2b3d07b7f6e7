#include "net/socket_options.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <random>

namespace hpb::net {
namespace {

constexpr int kKeepAliveIdleSeconds = 30;  // up to twice that: spread_keep_alive()
constexpr int kKeepAliveIntervalSeconds = 10;
constexpr int kKeepAliveProbes = 3;
constexpr int kDeferSeconds = 1;

void set_int_option(int descriptor, int level, int name, int value) {
    (void)::setsockopt(descriptor, level, name, &value, sizeof value);
}

}  // namespace

void set_connection_options(int descriptor) {
    set_inherited_options(descriptor);
    spread_keep_alive(descriptor);
}

void set_inherited_options(int descriptor) {
    set_int_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
    set_int_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
    // An urgent byte is passed on where it stands in the stream; else the kernel would take it out.
    set_int_option(descriptor, SOL_SOCKET, SO_OOBINLINE, 1);
}

void spread_keep_alive(int descriptor) {
    thread_local std::minstd_rand random(std::random_device{}());
    const int more = static_cast<int>(random() % (kKeepAliveIdleSeconds + 1));
    set_int_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds + more);
}

void defer_accept(int descriptor) {
    set_int_option(descriptor, IPPROTO_TCP, TCP_DEFER_ACCEPT, kDeferSeconds);
}

void limit_unsent(int descriptor, std::size_t bytes) {
    set_int_option(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, static_cast<int>(bytes));
}

void reset_on_close(int descriptor) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace hpb::net
