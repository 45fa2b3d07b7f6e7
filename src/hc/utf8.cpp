#include "hc/utf8.hpp"

#include <cstddef>
#include <cstdint>

namespace hpb::hc {
namespace {

/// Size of the well-formed sequence at the start of `text` (RFC 3629 section 4), or 0.
std::size_t sequence_size(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    if (first < 0x80) return 1;
    const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
    std::uint32_t code = first & (0xffu >> (size + 1));
    for (const char c : text.substr(1, size - 1)) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte & 0xc0u) != 0x80) return 0;
        code = (code << 6) | (byte & 0x3fu);
    }
    const bool is_overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    return is_overlong || is_surrogate || code > 0x10ffff ? 0 : size;
}

}  // namespace

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const auto size = sequence_size(text);
        if (size == 0) return false;
        text.remove_prefix(size);
    }
    return true;
}

std::string_view cut_utf8(std::string_view text, std::size_t max_size) {
    if (text.size() <= max_size) return text;
    std::size_t size = max_size;
    // A character has three bytes at most behind its first.
    while (size > 0 && max_size - size < 4 &&
           (static_cast<unsigned char>(text[size]) & 0xc0u) == 0x80) {
        --size;
    }
    return text.substr(0, size);
}

std::string to_clean_utf8(std::string_view text) {
    const bool as_is = is_utf8(text);
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            out += ' ';
        } else if (byte < 0x80 || as_is) {
            out += c;
        } else {
            out += static_cast<char>(0xc0u | (byte >> 6));
            out += static_cast<char>(0x80u | (byte & 0x3fu));
        }
    }
    return out;
}

}  // namespace hpb::hc
