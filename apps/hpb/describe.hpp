#pragma once

#include <string>

#include "config/agent_options.hpp"
#include "config/relay_options.hpp"

namespace hpb::app {

/// What a configuration would run, for `hpb check`: some lines for a person, no secret in them.
[[nodiscard]] std::string describe(const config::RelayOptions& options);
[[nodiscard]] std::string describe(const config::ServiceOptions& options);
[[nodiscard]] std::string describe(const config::ClientOptions& options);

}  // namespace hpb::app
