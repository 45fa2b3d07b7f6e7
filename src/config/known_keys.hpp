#pragma once

#include "config/diagnostics.hpp"
#include "config/layered_source.hpp"

namespace hpb::config {

/// Warns about every key of our sections that nothing reads, with the nearest one that something
/// does; and makes a value where a section belongs an error.
void check_known_keys(const LayeredSource& source, Diagnostics& diagnostics);

}  // namespace hpb::config
