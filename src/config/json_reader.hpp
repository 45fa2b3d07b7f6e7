#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hpb::config {

struct JsonSetting {
    std::string path;   ///< parts joined by ':'; items of arrays are numbered
    std::string value;  ///< true is "True" and null is ""
    std::size_t line = 0;
    bool is_json = false;  ///< the compact text of an object or array that is kept whole
};

struct JsonProblem {
    std::size_t line = 0;
    std::string path;
    std::string what;
};

struct JsonFile {
    std::vector<JsonSetting> settings;
    std::vector<JsonProblem> problems;  ///< none: the file is good
    bool is_json = true;                ///< false: one of the problems is the syntax
};

/// Reads one configuration file, flattened. Never throws for bad input; see kMaxFile… for its
/// bounds.
[[nodiscard]] JsonFile read_json_file(std::string_view text);

}  // namespace hpb::config
