#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hpb::hc {

/// Parses what a peer sent: bounded in size and nesting, duplicates' last one wins.
/// @param what  for the error message; its code is `code`, or limit_exceeded when the text is too
/// long.
[[nodiscard]] Result<boost::json::value> parse_json(std::string_view text, std::size_t max_size,
                                                    boost::system::error_code code,
                                                    std::string_view what);

/// Text of a string, number or boolean; "" for null.
/// @return nullopt for an array or object.
[[nodiscard]] std::optional<std::string> scalar_text(const boost::json::value& value);

}  // namespace hpb::hc
