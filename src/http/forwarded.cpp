#include "http/forwarded.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hpb::http {
namespace {

/// Splits at separators that are not within a quoted string.
std::vector<std::string_view> split_unquoted(std::string_view text, char separator) {
    std::vector<std::string_view> pieces;
    bool quoted = false;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') {
            quoted = !quoted;
        } else if (text[i] == '\\' && quoted) {
            ++i;
        } else if (text[i] == separator && !quoted) {
            pieces.push_back(text.substr(begin, i - begin));
            begin = i + 1;
        }
    }
    pieces.push_back(text.substr(begin));
    return pieces;
}

// Addresses need no escapes, so an escape makes this something that is no address.
std::string_view without_quotes(std::string_view text) {
    const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
    return quoted ? text.substr(1, text.size() - 2) : text;
}

std::string for_of(std::string_view element) {
    for (const auto pair : split_unquoted(element, ';')) {
        const auto equals = pair.find('=');
        if (equals == pair.npos || !iequals(trim(pair.substr(0, equals)), "for")) continue;
        return std::string(without_quotes(trim(pair.substr(equals + 1))));
    }
    return "";
}

unsigned port_of(std::string_view text) {
    const auto port = parse_int(text);
    return port && *port > 0 && *port <= 65535 ? static_cast<unsigned>(*port) : 0;
}

}  // namespace

std::vector<std::string> x_forwarded_for(const Headers& headers) {
    std::vector<std::string> hops;
    for (const auto& [name, value] : headers.all()) {
        if (!iequals(name, "X-Forwarded-For")) continue;
        for (const auto item : split(value, ',')) hops.emplace_back(trim(item));
    }
    return hops;
}

std::vector<std::string> forwarded_for(const Headers& headers) {
    std::vector<std::string> hops;
    for (const auto& [name, value] : headers.all()) {
        if (!iequals(name, "Forwarded")) continue;
        for (const auto element : split_unquoted(value, ',')) hops.push_back(for_of(element));
    }
    return hops;
}

ForwardedNode parse_forwarded_node(std::string_view text) {
    if (!text.empty() && text.front() == '[') {
        const auto end = text.find(']');
        if (end == text.npos) return {std::string(text), 0};
        const auto rest = text.substr(end + 1);
        return {std::string(text.substr(1, end - 1)),
                rest.starts_with(':') ? port_of(rest.substr(1)) : 0};
    }
    if (std::count(text.begin(), text.end(), ':') != 1) return {std::string(text), 0};
    const auto colon = text.find(':');
    return {std::string(text.substr(0, colon)), port_of(text.substr(colon + 1))};
}

}  // namespace hpb::http
