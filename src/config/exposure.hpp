#pragma once

#include "config/agent_options.hpp"
#include "config/layered_source.hpp"
#include "config/relay_options.hpp"

namespace hpb::config {

/// A key that is shorter can be guessed by whoever has seen one signature.
inline constexpr std::size_t kShortKey = 16;

/// Warns of what works and exposes a secret or the traffic, one warning each: keys in files that
/// others may read, short keys, plain connections that leave this machine. `hpb check` and the
/// start both tell them.
void warn_of_exposure(const LayeredSource& source, const RelayOptions& options,
                      Diagnostics& diagnostics);
void warn_of_exposure(const LayeredSource& source, const RelayAccess& access,
                      Diagnostics& diagnostics);

}  // namespace hpb::config
