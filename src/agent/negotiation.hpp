#pragma once

#include <string>

#include "base/error.hpp"
#include "config/agent_options.hpp"
#include "hc/control_message.hpp"

namespace hpb::agent {

/// A service agent's answer to a sender (docs/protocol.md, "Negotiation").
struct ChannelChoice {
    bool v2 = false;
    std::string subprotocol;  ///< for the rendezvous; "": none
};

/// True if the sender is an hpb agent whose subprotocols were dropped on the path.
[[nodiscard]] bool offers_were_dropped(const hc::AcceptMessage& accept);

/// @return an error that explains, for both logs, why no channel is possible: the sender offers
/// only unknown versions, or `pin` excludes those it offers.
[[nodiscard]] Result<ChannelChoice> choose_protocol(const hc::AcceptMessage& accept,
                                                    config::Protocol pin);

}  // namespace hpb::agent
