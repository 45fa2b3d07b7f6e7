#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "hpb/cli.hpp"

namespace hpb::app {

/// Reads the configuration, reports what is wrong with it, starts the log and runs the command.
/// @return the exit code.
[[nodiscard]] int start(const CommandLine& line, const config::SourceInputs& inputs);

/// What `hpb check` prints: the plan for standard output, the findings for standard error.
struct CheckReport {
    std::string output;
    config::Diagnostics problems;
};
[[nodiscard]] CheckReport check(const CommandLine& line, const config::SourceInputs& inputs);

/// `hpb token`. @param now  Unix seconds. @return the token, or "" with errors in `diagnostics`.
[[nodiscard]] std::string make_token(const CommandLine& line, const config::SourceInputs& inputs,
                                     std::int64_t now, config::Diagnostics& diagnostics);

}  // namespace hpb::app
