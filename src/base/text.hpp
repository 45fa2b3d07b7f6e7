#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hpb {

/// ASCII-only: configuration keys, HTTP header names and URI parts compare this way.
[[nodiscard]] bool iequals(std::string_view a, std::string_view b);
[[nodiscard]] bool istarts_with(std::string_view text, std::string_view prefix);
[[nodiscard]] std::string to_lower(std::string_view text);

/// Without spaces and tabs (and line ends) at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);

/// Every piece, empty ones included; "" gives one empty piece.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

/// @return `text` with everything outside visible ASCII and space replaced by '?', truncated to
/// `max_size`: safe for a reason phrase or a log line, whatever a peer sent.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_size = 512);

/// True if `text` is well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms.
[[nodiscard]] bool is_utf8(std::string_view text);

/// @return `text` without a leading UTF-8 byte order mark, as some editors write it.
[[nodiscard]] std::string_view without_byte_order_mark(std::string_view text);

/// True if `text` looks like UTF-16 (or UTF-32), with or without a byte order mark.
[[nodiscard]] bool is_utf16(std::string_view text);

/// The remedy for a file for which is_utf16() is true.
inline constexpr std::string_view kUtf16Remedy =
    "save it as UTF-8, or convert it by 'iconv -f UTF-16 -t UTF-8'";

/// Whole-string decimal parse. @return nullopt for anything else, overflow included.
[[nodiscard]] std::optional<long long> parse_int(std::string_view text);

/// @return the candidate that a person most likely meant by `word` (small edit distance, ignoring
/// case), or empty when none is near.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> candidates);

}  // namespace hpb
