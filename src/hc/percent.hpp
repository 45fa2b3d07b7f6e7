#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hpb::hc {

/// As .NET's WebUtility.UrlEncode: keeps alphanumerics and -_.!*(), space becomes '+'.
[[nodiscard]] std::string form_encode(std::string_view text);
/// RFC 3986: keeps the unreserved characters only, space becomes %20. For query values we make.
[[nodiscard]] std::string percent_encode(std::string_view text);
/// Keeps alphanumerics and the bytes of `also_kept`.
[[nodiscard]] std::string percent_encode(std::string_view text, std::string_view also_kept);

enum class Plus { literal, is_space };
/// @return nullopt for a '%' that is not followed by two hex digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, Plus plus);

}  // namespace hpb::hc
