#include "hc/relay_uri.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "hc/host.hpp"
#include "hc/percent.hpp"
#include "hc/sas_token.hpp"

namespace hpb::hc {
namespace {

constexpr std::string_view kRelayPrefix = "sb-hc-";
constexpr std::size_t kMaxEntityPathSize = 260;

/// Whatever precedes an '@' may be a password.
std::string without_user(std::string_view text) {
    const auto at = text.rfind('@');
    if (at == std::string_view::npos) return std::string(text);
    const auto scheme = text.find("://");
    const auto begin = scheme < at ? scheme + 3 : 0;
    return std::string(text.substr(0, begin)) + "***" + std::string(text.substr(at));
}

Error bad_address(std::string_view text, std::string_view why) {
    return {errc::malformed_address,
            fmt::format("'{}': {}", printable(without_user(text), 200), why)};
}

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// Reads host[:port] into `out`, whose port stays as it is when the text has none.
/// @return what is wrong, or "".
std::string parse_authority(std::string_view text, RelayAddress& out) {
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos) return "the IPv6 address has no closing ']'";
        out.host = to_lower(text.substr(1, end - 1));
        if (!is_ipv6_literal(out.host)) return "not an IPv6 address between the brackets";
        port = text.substr(end + 1);
        has_port = !port.empty();
        if (has_port && port.front() != ':') return "expected ':' and a port after ']'";
        if (has_port) port.remove_prefix(1);
    } else {
        const auto colon = text.find(':');
        if (colon != text.rfind(':')) return "write an IPv6 address in brackets, as in [::1]:443";
        out.host = to_lower(text.substr(0, colon));
        if (!is_host_name(out.host)) return "not a host name or IP address";
        has_port = colon != std::string_view::npos;
        if (has_port) port = text.substr(colon + 1);
    }
    if (!has_port) return {};
    out.port = parse_port(port);
    if (out.port == 0) return "the port must be 1 to 65535";
    return {};
}

struct Scheme {
    std::string_view name;
    bool secure;
};
constexpr Scheme kSchemes[] = {
    {"sb", true}, {"https", true}, {"wss", true}, {"ws", false}, {"http", false}};

std::string_view query_of(std::string_view query) {
    if (query.starts_with('?')) query.remove_prefix(1);
    return query;
}

/// Like a tolerant decoder (a broken escape stands for itself), so that a strange spelling of the
/// prefix cannot slip through to a listener whose own decoder is tolerant.
bool has_relay_prefix(std::string_view key) {
    for (const char expected : kRelayPrefix) {
        if (key.empty()) return false;
        const auto decoded = key.front() == '%' ? percent_decode(key.substr(0, 3), Plus::literal)
                                                : std::optional(std::string(1, key.front()));
        if (!decoded || !iequals(*decoded, {&expected, 1})) return false;
        key.remove_prefix(key.front() == '%' ? 3 : 1);
    }
    return true;
}

/// What follows the segment "$hc" at the start of a raw path; nullopt if the path starts otherwise.
std::optional<std::string_view> behind_marker(std::string_view raw_path) {
    if (!raw_path.starts_with('/')) return std::nullopt;
    const auto end = std::min(raw_path.find('/', 1), raw_path.size());
    const auto segment = percent_decode(raw_path.substr(1, end - 1), Plus::literal);
    if (!segment || !iequals(*segment, "$hc")) return std::nullopt;
    return raw_path.substr(end);
}

}  // namespace

std::string RelayAddress::authority() const {
    std::string text = host.find(':') == std::string::npos ? host : '[' + host + ']';
    if (port != (secure ? 443 : 80)) text += fmt::format(":{}", port);
    return text;
}

Result<RelayAddress> parse_relay_address(std::string_view text) {
    text = trim(text);
    RelayAddress relay;
    std::string_view rest = text;
    if (const auto end = text.find("://"); end != std::string_view::npos) {
        const auto* const scheme = std::find_if(
            std::begin(kSchemes), std::end(kSchemes),
            [&](const Scheme& candidate) { return iequals(candidate.name, text.substr(0, end)); });
        if (scheme == std::end(kSchemes)) {
            return bad_address(text, "the scheme must be sb, https, wss, ws or http");
        }
        relay.secure = scheme->secure;
        relay.port = scheme->secure ? 443 : 80;
        rest.remove_prefix(end + 3);
    }
    if (rest.find('@') != std::string_view::npos) {
        return bad_address(text,
                           "a relay address has no user and password; those are the access rule's "
                           "name and key");
    }
    const auto path_start = std::min(rest.find_first_of("/?#"), rest.size());
    const auto path = rest.substr(path_start);
    if (!path.empty() && path != "/") {
        return bad_address(text,
                           "a relay address has no path; the hybrid connection's name belongs in "
                           "the mapping or in EntityPath");
    }
    if (const auto why = parse_authority(rest.substr(0, path_start), relay); !why.empty()) {
        return bad_address(text, why);
    }
    return relay;
}

bool protect(RelayAddress& address, const RelayAddress& known) {
    if (address.secure) return true;
    if (!iequals(address.host, known.host)) return false;
    constexpr std::uint16_t kPlainPort = 80;
    if (address.port == kPlainPort) address.port = known.port;
    address.secure = true;
    return true;
}

Result<RendezvousUrl> parse_rendezvous_url(std::string_view url) {
    RendezvousUrl result;
    // The query may hold a one-time value, so errors show the part before it only.
    const auto shown = url.substr(0, url.find('?'));
    if (istarts_with(url, "wss://")) {
        url.remove_prefix(6);
    } else if (istarts_with(url, "ws://")) {
        url.remove_prefix(5);
        result.relay.secure = false;
        result.relay.port = 80;
    } else {
        return bad_address(shown, "a rendezvous address begins with wss:// or ws://");
    }
    if (std::any_of(url.begin(), url.end(), [](char c) { return is_control(c) || c == ' '; })) {
        return bad_address(shown, "the rendezvous address contains a space or a control character");
    }
    const auto target_start = std::min(url.find_first_of("/?#"), url.size());
    if (const auto why = parse_authority(url.substr(0, target_start), result.relay); !why.empty()) {
        return bad_address(shown, why);
    }
    const auto target = url.substr(target_start, url.find('#') - target_start);
    if (!target.starts_with('/')) result.target = "/";
    result.target += target;
    return result;
}

Target split_target(std::string_view target) {
    // Absolute-form, which a server has to understand (RFC 9112 section 3.2.2).
    if (const auto scheme_end = target.find("://");
        !target.starts_with('/') && scheme_end < target.find('?')) {
        target.remove_prefix(scheme_end + 3);
        target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    }
    const auto mark = target.find('?');
    Target result;
    result.path = target.substr(0, mark);
    result.has_query = mark != std::string_view::npos;
    if (result.has_query) result.query = target.substr(mark + 1);
    return result;
}

std::optional<std::string> query_parameter(std::string_view query, std::string_view name,
                                           Plus plus) {
    for (const auto piece : split(query_of(query), '&')) {
        const auto equals = piece.find('=');
        if (equals == std::string_view::npos) continue;
        const auto key = percent_decode(piece.substr(0, equals), Plus::literal);
        if (!key || !iequals(*key, name)) continue;
        return percent_decode(piece.substr(equals + 1), plus);
    }
    return std::nullopt;
}

std::string strip_relay_parameters(std::string_view query) {
    std::string out;
    bool first = true;
    for (const auto piece : split(query_of(query), '&')) {
        const auto equals = piece.find('=');
        if (equals != std::string_view::npos && has_relay_prefix(piece.substr(0, equals))) continue;
        if (!first) out += '&';
        out += piece;
        first = false;
    }
    if (!out.empty() && query.starts_with('?')) out.insert(out.begin(), '?');
    return out;
}

std::optional<std::string> entity_path(std::string_view raw_path) {
    const auto decoded = percent_decode(behind_marker(raw_path).value_or(raw_path), Plus::literal);
    if (!decoded || std::any_of(decoded->begin(), decoded->end(), is_control)) return std::nullopt;
    const auto first = decoded->find_first_not_of('/');
    if (first == std::string::npos) return std::string{};
    return decoded->substr(first, decoded->find_last_not_of('/') - first + 1);
}

bool is_hybrid_connection_path(std::string_view raw_path) {
    const auto rest = behind_marker(raw_path);
    return rest && rest->starts_with('/');
}

std::string escape_path(std::string_view entity) {
    while (entity.starts_with('/')) entity.remove_prefix(1);
    return percent_encode(entity, "-._~/!$&'()*+,;=:@");
}

std::string make_target(std::string_view entity, std::string_view action, std::string_view id) {
    auto target =
        fmt::format("/$hc/{}?sb-hc-action={}", escape_path(entity), percent_encode(action));
    if (!id.empty()) target += "&sb-hc-id=" + percent_encode(id);
    return target;
}

std::string check_entity_path(std::string_view path) {
    if (path.empty()) return "the name of a hybrid connection must not be empty";
    if (path.size() > kMaxEntityPathSize) {
        return fmt::format("the name of a hybrid connection has at most {} characters",
                           kMaxEntityPathSize);
    }
    for (const auto segment : split(path, '/')) {
        if (segment.empty()) return "the name must not begin or end with '/' or contain '//'";
        if (segment == "." || segment == "..")
            return "'.' and '..' are not allowed as parts of the name";
        for (const char c : segment) {
            if (is_alphanumeric(c) || std::string_view("-._~").find(c) != std::string_view::npos) {
                continue;
            }
            return fmt::format(
                "'{}' is not allowed: use letters, digits, '-', '.', '_', '~' and '/'",
                printable({&c, 1}));
        }
    }
    return {};
}

}  // namespace hpb::hc
