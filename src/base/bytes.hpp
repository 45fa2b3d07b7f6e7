#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace hpb {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

[[nodiscard]] inline ByteSpan as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

[[nodiscard]] inline std::string_view as_text(ByteSpan bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Big-endian (network order) integers, unaligned.
template <class T>
[[nodiscard]] T load_be(const std::byte* from) {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        value = static_cast<T>((value << 8) | static_cast<T>(from[i]));
    }
    return value;
}

template <class T>
void store_be(std::byte* to, T value) {
    for (std::size_t i = sizeof(T); i-- > 0; value = static_cast<T>(value >> 8)) {
        to[i] = static_cast<std::byte>(value & 0xff);
    }
}

/// Little-endian integers, unaligned.
template <class T>
[[nodiscard]] T load_le(const std::byte* from) {
    T value = 0;
    for (std::size_t i = sizeof(T); i-- > 0;) {
        value = static_cast<T>((value << 8) | static_cast<T>(from[i]));
    }
    return value;
}

template <class T>
void store_le(std::byte* to, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i, value = static_cast<T>(value >> 8)) {
        to[i] = static_cast<std::byte>(value & 0xff);
    }
}

}  // namespace hpb
