#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hpb::hc {

[[nodiscard]] bool is_utf8(std::string_view text);

/// The first `max_size` bytes of `text`, less what would be half a character of UTF-8.
[[nodiscard]] std::string_view cut_utf8(std::string_view text, std::size_t max_size);

/// For text that has to be UTF-8 whatever a peer sent: text that is not becomes UTF-8 byte by byte,
/// as if it were Latin-1 (which is what old HTTP header values are), and control characters become
/// spaces.
[[nodiscard]] std::string to_clean_utf8(std::string_view text);

}  // namespace hpb::hc
