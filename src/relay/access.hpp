// relay: the self-hosted relay, server side of Azure Relay Hybrid Connections (docs/protocol.md,
// "Relay"). Connections, control channels, rendezvous, who may do what. Not here: the protocol's
// messages (hc) and sockets (net). A connection lives on one thread; Registry is what threads
// share.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/relay_options.hpp"
#include "hc/sas_token.hpp"

namespace hpb::relay {

/// Web tokens up to this size are recognised as such, and refused.
inline constexpr std::size_t kMaxWebTokenSize = 16 * 1024;

enum class Right { listen, send, any };

/// An HTTP status and the sentence that explains it; becomes a response in refusal.hpp.
struct Refusal {
    unsigned status = 0;
    std::string sentence;
    bool by_listener = false;  ///< the listener's own text, which the sender gets unchanged
};

template <class T>
using Checked = boost::system::result<T, Refusal>;
[[noreturn]] void throw_exception_from_error(const Refusal& refusal,
                                             const boost::source_location& where);

/// The result of verifying a token.
struct Grant {
    std::int64_t expiry = 0;  ///< Unix seconds
    std::string rule;         ///< name of the rule that it was signed with
};

/// What a request wants to do, to be checked against its token.
struct AccessRequest {
    std::string_view token;  ///< as received; "" if there is none
    Right right = Right::any;
    std::string_view request_path;            ///< decoded: entity and suffix
    std::span<const std::string> host_names;  ///< acceptable hosts of the audience; none: `host`
    std::string_view host;                    ///< Host header without port
    std::int64_t now = 0;                     ///< Unix seconds
    std::int64_t skew = 0;  ///< seconds past its expiry during which a token is still valid
};

/// Verifies a SAS token against the entity's rules, then the namespace's (docs/protocol.md, "SAS
/// tokens").
/// @param entity_rules  empty for an entity that does not exist, so that this cannot be
/// distinguished from a refusal.
[[nodiscard]] Checked<Grant> check_access(const AccessRequest& request,
                                          std::span<const config::AccessRule> entity_rules,
                                          std::span<const config::AccessRule> namespace_rules);

}  // namespace hpb::relay
