#pragma once

#include <string>
#include <string_view>

namespace hpb::config {

/// Writes JSON as Newtonsoft.Json takes it, which reads .NET's configuration files, as strict JSON:
/// text in single quotes, names without quotes, line ends within text, hexadecimal and octal
/// numbers, undefined. Comments and lines stay where they are. What is no JSON in either sense
/// comes out as it went in, for a parser to complain of.
[[nodiscard]] std::string to_strict_json(std::string_view text);

}  // namespace hpb::config
