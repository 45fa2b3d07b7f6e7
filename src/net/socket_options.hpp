#pragma once

#include <cstddef>

namespace hpb::net {

/// Options of TCP sockets. One that the system lacks makes the connection less good, not wrong, so
/// failures are not reported; on a socket that is not TCP's they do nothing.

/// Unbuffered small writes and keep-alive probes (dead networks show within a minute and a half
/// when idle).
void set_connection_options(int descriptor);
/// The same on a listening socket: what it accepts inherits them, which saves five system calls for
/// each connection; spread_keep_alive() is left to each.
void set_inherited_options(int descriptor);

/// Connections that were opened together do not send their probes together: a hundred thousand at
/// once would overrun a queue somewhere, and end those whose probes were lost.
void spread_keep_alive(int descriptor);

/// A connection is accepted when its first bytes have come, or after a second or two without: one
/// that says nothing costs the kernel a few bytes meanwhile. Only where clients speak first.
void defer_accept(int descriptor);

/// Lets the kernel take only so many bytes ahead of what it sends (TCP_NOTSENT_LOWAT), so that what
/// is written next is not far behind.
void limit_unsent(int descriptor, std::size_t bytes);

/// Closing the socket will send RST instead of FIN.
void reset_on_close(int descriptor);

}  // namespace hpb::net
