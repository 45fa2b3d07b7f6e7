#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <string_view>

#include "base/error.hpp"

namespace hpb::hc {

/// Nesting that parse_lenient_json() follows.
inline constexpr std::size_t kMaxLenientDepth = 64;

/// Parses JSON as people type it and as Newtonsoft.Json, which the existing bridge uses, takes it:
/// single quotes, names without quotes, comments, a comma before a closing bracket, line ends
/// within text, hexadecimal and octal numbers, undefined. Strict JSON reads as always; the last of
/// several members with one name wins. Whole numbers come out as integers however they are written
/// (5e3).
/// @param what  for the error message, which says line and column; the error's code is `code`.
[[nodiscard]] Result<boost::json::value> parse_lenient_json(std::string_view text,
                                                            boost::system::error_code code,
                                                            std::string_view what);

}  // namespace hpb::hc
