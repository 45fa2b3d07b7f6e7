#pragma once

#include <string>

#include "base/error.hpp"
#include "config/agent_options.hpp"
#include "hc/control_message.hpp"

namespace hpb::agent {

/// What a service agent answers a sender with (docs/protocol.md, "Negotiation").
struct ChannelChoice {
    bool v2 = false;
    std::string subprotocol;  ///< for the rendezvous; "": none
};

/// True if the sender is an agent of ours and its subprotocols have been lost on the way.
[[nodiscard]] bool offers_were_dropped(const hc::AcceptMessage& accept);

/// @return an error that says in words for both logs why no channel is possible: the sender speaks
/// only versions that this agent does not know, or `pin` forbids what it speaks.
[[nodiscard]] Result<ChannelChoice> choose_protocol(const hc::AcceptMessage& accept,
                                                    config::Protocol pin);

}  // namespace hpb::agent
