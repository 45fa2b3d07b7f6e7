#pragma once

#include <string>
#include <string_view>

namespace hpb::http {

/// The first words of a page of HTML or text, for a log line: without tags, scripts and styles, in
/// one line of printable characters, 120 at most.
[[nodiscard]] std::string page_text(std::string_view page);

}  // namespace hpb::http
