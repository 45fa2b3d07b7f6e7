#include "hc/host.hpp"

#include <algorithm>
#include <cstddef>

#include "base/text.hpp"

namespace hpb::hc {
namespace {

constexpr std::size_t kMaxHostSize = 253;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_hex_digit(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_ipv4_literal(std::string_view text) {
    const auto parts = split(text, '.');
    return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
               if (part.empty() || part.size() > 3) return false;
               return std::all_of(part.begin(), part.end(), is_digit) && *parse_int(part) <= 255;
           });
}

/// Number of 16-bit groups that `text` (a part without "::") stands for; -1 if it is malformed.
int count_groups(std::string_view text, bool may_end_in_ipv4) {
    if (text.empty()) return 0;
    const auto parts = split(text, ':');
    int count = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const bool is_last = i + 1 == parts.size();
        if (is_last && may_end_in_ipv4 && is_ipv4_literal(parts[i])) {
            count += 2;
        } else if (parts[i].empty() || parts[i].size() > 4 ||
                   !std::all_of(parts[i].begin(), parts[i].end(), is_hex_digit)) {
            return -1;
        } else {
            ++count;
        }
    }
    return count;
}

}  // namespace

bool is_host_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxHostSize &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                      c == '.' || c == '_';
           });
}

bool is_ipv6_literal(std::string_view text) {
    constexpr std::size_t kMaxSize = 45;
    if (text.size() > kMaxSize) return false;
    const auto gap = text.find("::");
    if (gap == std::string_view::npos) return count_groups(text, true) == 8;
    const int before = count_groups(text.substr(0, gap), false);
    const int after = count_groups(text.substr(gap + 2), true);
    return before >= 0 && after >= 0 && before + after < 8;
}

unsigned short parse_port(std::string_view text) {
    if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return 0;
    const auto number = parse_int(text);
    return number && *number <= 65535 ? static_cast<unsigned short>(*number) : 0;
}

}  // namespace hpb::hc
