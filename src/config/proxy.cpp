#include "config/proxy.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "hc/percent.hpp"

namespace hpb::config {
namespace {

constexpr std::string_view kProxyKey = "PortBridge:ServiceNamespace:Proxy";

Error bad_proxy(std::string_view why) {
    return Error(make_error_code(errc::invalid_argument), std::string(why));
}

struct HostPort {
    std::string_view host;
    std::optional<std::uint16_t> port;
};

/// `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 literal. nullopt if malformed.
std::optional<HostPort> split_host_port(std::string_view text) {
    HostPort out;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        out.host = text.substr(1, end - 1);
        port = text.substr(end + 1);
    } else if (std::count(text.begin(), text.end(), ':') > 1) {
        out.host = text;
    } else {
        const auto colon = text.find(':');
        out.host = text.substr(0, colon);
        if (colon != std::string_view::npos) port = text.substr(colon);
    }
    if (out.host.empty()) return std::nullopt;
    if (port.empty()) return out;
    const auto value = parse_int(port.substr(1));
    if (port[0] != ':' || !value || *value < 1 || *value > 65535) return std::nullopt;
    out.port = static_cast<std::uint16_t>(*value);
    return out;
}

bool is_below(std::string_view host, std::string_view suffix) {
    return host.size() > suffix.size() + 1 &&
           iequals(host.substr(host.size() - suffix.size()), suffix) &&
           host[host.size() - suffix.size() - 1] == '.';
}

bool entry_covers(std::string_view entry, const hc::RelayAddress& relay) {
    if (entry == "*") return true;
    const auto ip = parse_ip(relay.host);
    if (entry.find('/') != std::string_view::npos) {
        AllowList range;
        return ip && range.add(entry).has_value() && range.admits(*ip);
    }
    const auto parsed = split_host_port(entry);
    if (!parsed || (parsed->port && *parsed->port != relay.port)) return false;
    std::string_view name = parsed->host;
    if (ip) return parse_ip(name) == ip;
    const bool only_below = name.starts_with('.') || name.starts_with("*.");
    if (only_below) name.remove_prefix(name.find('.') + 1);
    return is_below(relay.host, name) || (!only_below && iequals(relay.host, name));
}

}  // namespace

bool is_loopback(std::string_view host) {
    if (iequals(host, "localhost")) return true;
    if (host.size() > 10 && iequals(host.substr(host.size() - 10), ".localhost")) return true;
    const auto ip = parse_ip(host);
    if (!ip) return false;
    AllowList loopback;
    for (const std::string_view range : {"127.0.0.0/8", "::1"}) (void)loopback.add(range);
    return loopback.admits(*ip);
}

Result<ProxyOptions> parse_proxy(std::string_view text) {
    text = trim(text);
    if (istarts_with(text, "http://")) {
        text.remove_prefix(7);
    } else if (text.find("://") != std::string_view::npos) {
        return bad_proxy("only http:// proxies can be used");
    }
    while (text.ends_with('/')) text.remove_suffix(1);
    ProxyOptions proxy;
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        const std::string_view credentials = text.substr(0, at);
        const auto colon = credentials.find(':');
        const auto user = hc::percent_decode(credentials.substr(0, colon), hc::Plus::literal);
        const auto password =
            colon == std::string_view::npos
                ? std::optional<std::string>("")
                : hc::percent_decode(credentials.substr(colon + 1), hc::Plus::literal);
        if (!user || !password)
            return bad_proxy("its user or password has a '%' that is not a valid escape");
        proxy.user = *user;
        proxy.password = *password;
        text.remove_prefix(at + 1);
    }
    const auto parsed = split_host_port(text);
    const auto is_bad = [](char c) { return c <= ' ' || c > '~' || c == '/' || c == '?'; };
    if (!parsed || std::any_of(parsed->host.begin(), parsed->host.end(), is_bad)) {
        return bad_proxy("it is not http://host:port");
    }
    proxy.host = parsed->host;
    proxy.port = parsed->port.value_or(80);
    return proxy;
}

bool no_proxy_covers(std::string_view list, const hc::RelayAddress& relay) {
    while (!list.empty()) {
        const auto end = list.find_first_of(", \t");
        const std::string_view entry = list.substr(0, end);
        if (!entry.empty() && entry_covers(entry, relay)) return true;
        list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
    }
    return false;
}

ProxyOptions choose_proxy(SettingReader& reader, const SourceInputs& inputs,
                          const hc::RelayAddress& relay) {
    if (const Setting* setting = reader.find(kProxyKey)) {
        if (iequals(trim(setting->value), "none")) return {};
        auto proxy = parse_proxy(setting->value);
        if (proxy) return std::move(*proxy);
        reader.error(*setting, "not a valid proxy address: " + proxy.error().message(),
                     "write http://host:port, http://user:password@host:port or none");
        return {};
    }
    // What the environment says is for connections over TLS; nobody means loopback by it.
    if (!relay.secure || is_loopback(relay.host)) return {};
    for (const std::string_view name : {"NO_PROXY", "no_proxy"}) {
        const std::string* list = inputs.variable(name);
        if (list != nullptr && no_proxy_covers(*list, relay)) return {};
    }
    for (const std::string_view name : {"HTTPS_PROXY", "https_proxy"}) {
        const std::string* value = inputs.variable(name);
        if (value == nullptr || trim(*value).empty()) continue;
        auto proxy = parse_proxy(*value);
        if (proxy) return std::move(*proxy);
        reader.diagnostics().errors.push_back(
            {"environment", std::string(name),
             "not a valid proxy address: " + proxy.error().message(),
             "write http://host:port, unset it, or set " + std::string(kProxyKey) + " to none"});
        return {};
    }
    return {};
}

}  // namespace hpb::config
