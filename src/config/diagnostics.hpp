// config: files, environment and command line become checked option structs. Not here: what the
// options do. Used at start-up, on one thread.
#pragma once

#include <string>
#include <vector>

namespace hpb::config {

/// One finding: where it is, what is wrong, and what to do. Never holds a secret.
struct Problem {
    std::string source;  ///< file, "environment" or "command line"
    std::string path;    ///< JSON path or option, e.g. PortBridge:PortMappings:5021:EntityPath
    std::string what;
    std::string remedy;

    [[nodiscard]] std::string to_string() const;  ///< "file: path: what; remedy"
};

struct Diagnostics {
    std::vector<Problem> errors;
    std::vector<Problem> warnings;  ///< unknown keys, settings that have no effect here

    [[nodiscard]] bool ok() const { return errors.empty(); }
};

}  // namespace hpb::config
