#pragma once

#include <string>
#include <string_view>

#include "config/layered_source.hpp"
#include "ops/log.hpp"

namespace hpb::config {

/// --log-level and --log-format, "" when not given.
struct LogFlags {
    std::string level;
    std::string format;
};

/// trace, debug, info, warn, error, off; and Serilog's Verbose … Fatal. Any case.
[[nodiscard]] std::optional<ops::Level> parse_level(std::string_view text);

/// Section Serilog, then the flags. Without the section: the console, from info on.
[[nodiscard]] ops::LogOptions read_log_options(const LayeredSource& source, const LogFlags& flags,
                                               Diagnostics& diagnostics);

/// One line that names what the existing bridge's configuration has and this one does not honour,
/// with what takes its place; "" if there is nothing of that kind.
[[nodiscard]] std::string not_carried_over(const LayeredSource& source);

}  // namespace hpb::config
