#pragma once

#include <string>

#include "config/agent_options.hpp"
#include "config/setting_reader.hpp"

namespace hpb::config {

struct RelayAccessResult {
    RelayAccess access;
    std::string entity_path;  ///< of the connection string, "" if it names none
};

/// Who asks: only a sender may do without an access rule (NoAuthentication).
enum class AccessRole { sender, other };

/// Section PortBridge:ServiceNamespace. The connection string and the single keys may come from
/// different layers: the higher layer wins, and single keys win within one.
[[nodiscard]] RelayAccessResult read_relay_access(SettingReader& reader, const SourceInputs& inputs,
                                                  AccessRole role);

}  // namespace hpb::config
