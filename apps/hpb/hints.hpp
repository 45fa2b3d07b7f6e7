#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace hpb::app {

/// What to write instead of an option that `command` does not have: the nearest of its own, the
/// command that has it, or what does here what other programs mean by it. @param option  as
/// written, without a value. @return text that begins with "; " or ": ", or "".
[[nodiscard]] std::string option_hint(const std::string& option, const CLI::App& command);

/// "; did you mean NAME?" for the nearest name, or "".
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       const std::vector<std::string>& names);

}  // namespace hpb::app
