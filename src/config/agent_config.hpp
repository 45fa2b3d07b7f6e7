#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/agent_options.hpp"
#include "config/layered_source.hpp"

namespace hpb::config {

/// What the command line adds to the client agent's mappings.
struct ClientFlags {
    std::vector<std::string> mappings;      ///< -L [bind:]port[/key]:hybrid-connection
    int channels = 1;                       ///< --channels, for these mappings
    std::chrono::seconds channel_ttl{300};  ///< --ttl, for these mappings
};

/// What the command line adds to the service agent's hybrid connections.
struct ServiceFlags {
    std::vector<std::string> targets;  ///< -T hybrid-connection[:key]/host:port
};

/// One -L taken apart: 127.0.0.1 is the default bind address, and everybody may connect.
[[nodiscard]] Result<ClientMapping> parse_mapping_flag(std::string_view text);

struct TargetFlag {
    std::string entity;
    std::int32_t key = 0;
    hc::TargetAddress target;
};
/// One -T taken apart.
[[nodiscard]] Result<TargetFlag> parse_target_flag(std::string_view text);

/// Reads the client agent's options; `source` is what load_layers(inputs) gave. All findings go to
/// `diagnostics`; the options are good for use only if it stays ok().
[[nodiscard]] ClientOptions read_client_options(const LayeredSource& source,
                                                const SourceInputs& inputs,
                                                const ClientFlags& flags, Diagnostics& diagnostics);

/// Likewise for the service agent.
[[nodiscard]] ServiceOptions read_service_options(const LayeredSource& source,
                                                  const SourceInputs& inputs,
                                                  const ServiceFlags& flags,
                                                  Diagnostics& diagnostics);

}  // namespace hpb::config
