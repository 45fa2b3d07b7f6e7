#pragma once

#include "config/agent_options.hpp"
#include "config/setting_reader.hpp"

namespace hpb::config {

/// Reads what concerns v2 sessions (docs/configuration.md, "Sessions"), for either agent.
[[nodiscard]] SessionOptions read_session_options(SettingReader& reader);

}  // namespace hpb::config
