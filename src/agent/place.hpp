#pragma once

#include <variant>

#include "agent/quota.hpp"
#include "net/share.hpp"

namespace hpb::agent {

/// What a connection holds of a limited number for as long as it lives: of a plain limit, or of one
/// that is shared out among its holders. Given back when destroyed, on any thread.
using Place = std::variant<std::monostate, Quota::Ticket, net::Share::Ticket>;

}  // namespace hpb::agent
