// Byte vectors in tests, written the way specifications print them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace hpb::test {

/// @param text  pairs of hex digits; spaces are skipped.
inline std::vector<std::byte> from_hex(std::string_view text) {
    const auto digit = [](char c) {
        return static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    };
    std::vector<std::byte> out;
    for (std::size_t i = 0; i + 1 < text.size();) {
        if (text[i] == ' ') {
            ++i;
            continue;
        }
        out.push_back(static_cast<std::byte>(digit(text[i]) << 4 | digit(text[i + 1])));
        i += 2;
    }
    return out;
}

inline std::string to_hex(ByteSpan bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (const auto byte : bytes) {
        out.push_back(kDigits[std::to_integer<unsigned>(byte) >> 4]);
        out.push_back(kDigits[std::to_integer<unsigned>(byte) & 15]);
    }
    return out;
}

}  // namespace hpb::test
