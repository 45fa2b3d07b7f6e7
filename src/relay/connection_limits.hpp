#pragma once

#include "net/share.hpp"

namespace hpb::relay {

/// One of the max_connections; given back when destroyed, on any thread.
using ConnectionTicket = net::Share::Ticket;

}  // namespace hpb::relay
