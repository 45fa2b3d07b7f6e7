#pragma once

#include <string>
#include <vector>

namespace hpb::app {

/// The flags of all commands, without their dashes.
struct FlagNames {
    std::vector<std::string> all;
    std::vector<std::string> with_value;  ///< those that take the next argument
};

/// The arguments of a command line, by whose they are.
struct SortedArguments {
    std::vector<std::string> flags;     ///< hpb's own, and whatever nobody knows
    std::vector<std::string> settings;  ///< keys of hpb's sections, in any form .NET reads
    std::vector<std::string> others;    ///< other programs' keys: their names without the values
};

/// Sorts what .NET's command-line configuration takes (`--k=v`, `--k v`, `/k=v`, `/k v`, `k=v`)
/// from hpb's own flags. A name that is or nearly is one of `names` counts as a flag, so that a
/// slip is still an error. `--k v` and `/k v` of other programs are recognised only where `k` can't
/// be meant as a flag: it has a ':' or a capital letter, or is one of .NET's own host keys.
[[nodiscard]] SortedArguments sort_arguments(const std::vector<std::string>& arguments,
                                             const FlagNames& names);

}  // namespace hpb::app
