#pragma once

#include <variant>

#include "agent/quota.hpp"
#include "net/share.hpp"

namespace hpb::agent {

/// A connection's place within a limit while it lives: a plain limit, or one with fair shares.
/// Released when destroyed, on any thread.
using Place = std::variant<std::monostate, Quota::Ticket, net::Share::Ticket>;

}  // namespace hpb::agent
