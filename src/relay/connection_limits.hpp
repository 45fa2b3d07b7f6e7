#pragma once

#include "net/share.hpp"
#include "ops/limits.hpp"

namespace hpb::relay {

/// One of the max_connections; given back when destroyed, on any thread.
using ConnectionTicket = net::Share::Ticket;

/// Counts a connection that got no ticket: the limit, or its share, is reached.
inline void note_refused_connection(const net::Share& connections) {
    ops::reached(ops::Limit::refused_connections);
    if (connections.free() > 0) ops::reached(ops::Limit::refused_by_share);
}

}  // namespace hpb::relay
