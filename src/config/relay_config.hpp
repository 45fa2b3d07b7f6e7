#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/layered_source.hpp"
#include "config/relay_options.hpp"

namespace hpb::config {

/// What the command line adds to the relay's section, besides keys.
struct RelayFlags {
    std::vector<std::string> listen;       ///< --listen: instead of Relay:Listen
    std::string rule;                      ///< --rule: a namespace rule with all rights
    std::string rule_key_file;             ///< --rule-key-file, its key
    std::vector<std::string> connections;  ///< --connection: besides Relay:HybridConnections
};

/// `address:port` or `[v6]:port`, `localhost` and `*` included. Port 0 is any free port.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

/// Reads section Relay. All findings go to `diagnostics`; the options are good for use only if it
/// stays ok().
[[nodiscard]] RelayOptions read_relay_options(const LayeredSource& source, const RelayFlags& flags,
                                              Diagnostics& diagnostics);

}  // namespace hpb::config
