#include "config/dotnet_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/text.hpp"

namespace hpb::config {
namespace {

constexpr std::size_t kIpv4Offset = 12;  // ::ffff:a.b.c.d

std::optional<std::uint64_t> parse_digits(std::string_view digits, int base) {
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

/// One part of an IPv4 address in any base.
std::optional<std::uint64_t> parse_part(std::string_view part) {
    if (istarts_with(part, "0x")) return parse_digits(part.substr(2), 16);
    if (part.size() > 1 && part.front() == '0') return parse_digits(part.substr(1), 8);
    return parse_digits(part, 10);
}

bool is_all_decimal(std::string_view text) {
    const auto parts = split(text, '.');
    return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](auto part) {
               return !part.empty() && std::all_of(part.begin(), part.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
           });
}

}  // namespace

std::optional<long long> parse_dotnet_int(std::string_view text) {
    text = trim(text);
    for (const std::string_view prefix : {"0x", "&h", "#"}) {
        if (!istarts_with(text, prefix)) continue;
        const auto value = parse_digits(text.substr(prefix.size()), 16);
        if (!value || *value > std::uint64_t{INT64_MAX}) return std::nullopt;
        return static_cast<long long>(*value);
    }
    if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
    return parse_int(text);
}

std::optional<IpBytes> parse_dotnet_ip(std::string_view text) {
    if (auto strict = parse_ip(text)) return strict;
    const auto parts = split(text, '.');
    if (parts.size() > 4) return std::nullopt;
    std::uint64_t address = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto part = parse_part(parts[i]);
        // The last part fills all the bytes that are left.
        const bool is_last = i + 1 == parts.size();
        const std::uint64_t limit = is_last ? 0xffffffffULL >> (8 * i) : 0xff;
        if (!part || *part > limit) return std::nullopt;
        address |= is_last ? *part : *part << (8 * (3 - i));
    }
    IpBytes bytes{};
    bytes[10] = bytes[11] = 0xff;
    for (std::size_t i = 0; i < 4; ++i) {
        bytes[kIpv4Offset + i] = static_cast<std::uint8_t>(address >> (8 * (3 - i)));
    }
    return bytes;
}

bool is_surprising_ip(std::string_view text) {
    const auto ip = parse_dotnet_ip(text);
    if (!ip || parse_ip(text)) return false;
    if (!is_all_decimal(text)) return true;
    const auto parts = split(text, '.');
    for (std::size_t i = 0; i < 4; ++i) {
        if (parse_int(parts[i]) != (*ip)[kIpv4Offset + i]) return true;
    }
    return false;
}

std::string ipv4_text(const IpBytes& ip) {
    return fmt::format("{}.{}.{}.{}", ip[12], ip[13], ip[14], ip[15]);
}

}  // namespace hpb::config
