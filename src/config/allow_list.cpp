#include "config/allow_list.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "config/dotnet_values.hpp"

namespace hpb::config {
namespace {

constexpr std::size_t kIpv4Offset = 12;  // ::ffff:a.b.c.d

std::optional<std::array<std::uint8_t, 4>> parse_ipv4(std::string_view text) {
    const auto parts = split(text, '.');
    if (parts.size() != 4) return std::nullopt;
    std::array<std::uint8_t, 4> bytes{};
    for (std::size_t i = 0; i < 4; ++i) {
        // Some programs read a leading zero as octal, so it means two things and is refused.
        if (parts[i].empty() || parts[i].size() > 3) return std::nullopt;
        if (parts[i].size() > 1 && parts[i][0] == '0') return std::nullopt;
        const auto value = parse_int(parts[i]);
        if (!value || *value < 0 || *value > 255 || parts[i][0] == '-') return std::nullopt;
        bytes[i] = static_cast<std::uint8_t>(*value);
    }
    return bytes;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// The groups of one side of "::" (or of the whole address), appended to `out`. False if malformed.
bool parse_groups(std::string_view text, bool may_end_in_ipv4, std::vector<std::uint8_t>& out) {
    if (text.empty()) return true;
    const auto groups = split(text, ':');
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const std::string_view group = groups[i];
        if (may_end_in_ipv4 && i + 1 == groups.size() && group.find('.') != group.npos) {
            const auto ipv4 = parse_ipv4(group);
            if (!ipv4) return false;
            out.insert(out.end(), ipv4->begin(), ipv4->end());
            continue;
        }
        if (group.empty() || group.size() > 4) return false;
        unsigned value = 0;
        for (const char c : group) {
            const int digit = hex_digit(c);
            if (digit < 0) return false;
            value = value * 16 + static_cast<unsigned>(digit);
        }
        out.push_back(static_cast<std::uint8_t>(value >> 8));
        out.push_back(static_cast<std::uint8_t>(value & 0xff));
    }
    return out.size() <= 16;
}

std::optional<IpBytes> parse_ipv6(std::string_view text) {
    IpBytes bytes{};
    std::vector<std::uint8_t> head;
    std::vector<std::uint8_t> tail;
    const auto gap = text.find("::");
    if (gap == std::string_view::npos) {
        if (!parse_groups(text, true, head) || head.size() != 16) return std::nullopt;
    } else {
        if (!parse_groups(text.substr(0, gap), false, head)) return std::nullopt;
        if (!parse_groups(text.substr(gap + 2), true, tail)) return std::nullopt;
        if (head.size() + tail.size() > 14) return std::nullopt;  // the gap is one group at least
    }
    std::copy(head.begin(), head.end(), bytes.begin());
    std::copy(tail.begin(), tail.end(), bytes.end() - static_cast<std::ptrdiff_t>(tail.size()));
    return bytes;
}

bool is_ipv4_mapped(const IpBytes& ip) {
    return std::all_of(ip.begin(), ip.begin() + 10, [](auto b) { return b == 0; }) &&
           ip[10] == 0xff && ip[11] == 0xff;
}

Error bad_item(std::string_view item, std::string_view why) {
    return Error(make_error_code(errc::invalid_argument),
                 fmt::format("'{}' {}", printable(item, 80), why));
}

}  // namespace

std::optional<IpBytes> parse_ip(std::string_view text) {
    if (text.size() > 45) return std::nullopt;
    if (text.find(':') != std::string_view::npos) return parse_ipv6(text);
    const auto ipv4 = parse_ipv4(text);
    if (!ipv4) return std::nullopt;
    IpBytes bytes{};
    bytes[10] = bytes[11] = 0xff;
    std::copy(ipv4->begin(), ipv4->end(), bytes.begin() + kIpv4Offset);
    return bytes;
}

Result<std::string> AllowList::add(std::string_view item) {
    item = trim(item);
    if (item.empty()) return std::string();
    if (item == "*") {
        everybody_ = true;
        return std::string();
    }
    if (const auto slash = item.find('/'); slash != std::string_view::npos) {
        const auto address = parse_ip(item.substr(0, slash));
        if (!address) return bad_item(item, "does not start with an IP address");
        const auto prefix = parse_int(item.substr(slash + 1));
        const long long width = item.find(':') == item.npos ? 32 : 128;
        if (!prefix || *prefix < 0 || *prefix > width) {
            return bad_item(item, fmt::format("needs a prefix length of 0 to {}", width));
        }
        const auto fixed_bits = static_cast<std::size_t>(*prefix + 128 - width);
        Range range{*address, *address};
        for (std::size_t bit = fixed_bits; bit < 128; ++bit) {
            const auto mask = static_cast<std::uint8_t>(0x80u >> (bit % 8));
            range.first[bit / 8] = static_cast<std::uint8_t>(range.first[bit / 8] & ~mask);
            range.last[bit / 8] = static_cast<std::uint8_t>(range.last[bit / 8] | mask);
        }
        ranges_.push_back(range);
        return std::string();
    }
    return add_range(item);
}

/// As the existing bridge does: empty pieces around a '-' are nothing, and what ends before it
/// begins matches nobody.
Result<std::string> AllowList::add_range(std::string_view item) {
    auto parts = split(item, '-');
    for (auto& part : parts) part = trim(part);
    std::erase_if(parts, [](std::string_view part) { return part.empty(); });
    if (parts.size() > 2) return bad_item(item, "has more than one '-'");
    const auto first = parts.empty() ? std::nullopt : parse_dotnet_ip(parts.front());
    const auto last = parts.empty() ? std::nullopt : parse_dotnet_ip(parts.back());
    if (!first || !last) {
        return bad_item(item, "is not *, an IP address, first-last or address/prefix");
    }
    if (is_ipv4_mapped(*first) != is_ipv4_mapped(*last)) {
        return bad_item(item, "mixes IPv4 and IPv6");
    }
    if (*last < *first) {
        return fmt::format("'{}' ends before it begins, so it admits nobody; swap the two",
                           printable(item, 80));
    }
    ranges_.push_back({*first, *last});
    for (const auto part : parts) {
        if (!is_surprising_ip(part)) continue;
        const std::string meant = ipv4_text(*parse_dotnet_ip(part));
        return fmt::format("'{}' means {} in .NET and here; write that", printable(part, 80),
                           meant);
    }
    return std::string();
}

bool AllowList::admits(const IpBytes& address) const {
    if (everybody_) return true;
    // ::/0 means all of IPv6 and not, by the mapped form, all of IPv4 as well.
    const bool is_ipv4 = is_ipv4_mapped(address);
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
        return range.first <= address && address <= range.last &&
               is_ipv4_mapped(range.first) == is_ipv4;
    });
}

}  // namespace hpb::config
