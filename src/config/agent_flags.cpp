// The two flags that say as much as a section: -L and -T.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "config/agent_config.hpp"

namespace hpb::config {
namespace {

Error bad_flag(std::string_view text, std::string_view why, std::string_view form) {
    return Error(make_error_code(errc::invalid_argument),
                 fmt::format("'{}' {}; write {}", printable(text, 200), why, form));
}

constexpr std::string_view kMappingForm = "[bind:]port[/key]:hybrid-connection";
constexpr std::string_view kTargetForm = "hybrid-connection[:key]/host:port";

std::optional<std::int32_t> parse_key(std::string_view text) {
    const auto value = parse_int(text);
    if (!value || *value < std::numeric_limits<std::int32_t>::min() ||
        *value > std::numeric_limits<std::int32_t>::max()) {
        return std::nullopt;
    }
    return static_cast<std::int32_t>(*value);
}

bool is_number(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// ssh's `[bind:]port:host:hostport`: what the same means here, or "".
std::string from_ssh(std::string_view text) {
    const auto third = text.rfind(':');
    if (third == std::string_view::npos || !is_number(text.substr(third + 1))) return "";
    std::string_view rest = text.substr(0, third);
    auto second = rest.rfind(':');
    if (rest.ends_with(']')) second = rest.rfind(":[");
    if (second == std::string_view::npos) return "";
    const std::string_view host = text.substr(second + 1);  // with its port
    rest = rest.substr(0, second);
    const std::string_view port = rest.substr(rest.rfind(':') + 1);  // all, if there is no bind
    if (!is_number(port) || is_number(text.substr(second + 1, third - second - 1))) return "";
    return fmt::format(
        "is the form of ssh; here the service agent names the target: write -L "
        "{}:NAME, and 'hpb service -T NAME/{}' there, with the name of a hybrid "
        "connection",
        rest, host);
}

/// `port:name/key`: the key on the wrong side.
std::string from_target_order(std::string_view local, std::string_view entity) {
    const auto slash = entity.rfind('/');
    if (slash == std::string_view::npos || local.find('/') != std::string_view::npos) return "";
    const std::string_view key = entity.substr(slash + 1);
    if (!is_number(key)) return "";
    return fmt::format(
        "has its key on the wrong side; write {0}/{1}:{2} for the key {1}, or "
        "{0}/0:{3} if that is the name",
        local, key, entity.substr(0, slash), entity);
}

Error wrong_form(std::string_view text, std::string_view why) {
    return Error(make_error_code(errc::invalid_argument),
                 printable(fmt::format("'{}' {}", text, why), 600));
}

}  // namespace

Result<ClientMapping> parse_mapping_flag(std::string_view text) {
    if (const auto why = from_ssh(text); !why.empty()) return wrong_form(text, why);
    ClientMapping mapping;
    mapping.bind_address = "127.0.0.1";
    (void)mapping.accept_from.add("*");  // whoever types the command decides by the bind address
    const auto entity_at = text.rfind(':');
    if (entity_at == std::string_view::npos) {
        return bad_flag(text, "names no hybrid connection", kMappingForm);
    }
    mapping.entity = text.substr(entity_at + 1);
    if (const auto why = hc::check_entity_path(mapping.entity); !why.empty()) {
        return bad_flag(text, why, kMappingForm);
    }
    std::string_view local = text.substr(0, entity_at);
    if (const auto why = from_target_order(local, mapping.entity); !why.empty())
        return wrong_form(text, why);
    if (const auto colon = local.rfind(':'); colon != std::string_view::npos) {
        std::string_view bind = local.substr(0, colon);
        local.remove_prefix(colon + 1);
        if (bind.starts_with('[') && bind.ends_with(']')) bind = bind.substr(1, bind.size() - 2);
        if (bind == "*") bind = "0.0.0.0";
        if (iequals(bind, "localhost")) bind = "127.0.0.1";
        if (!parse_ip(bind)) {
            return bad_flag(text, "has a bind address that is not an IP address", kMappingForm);
        }
        mapping.bind_address = bind;
    }
    const auto slash = local.find('/');
    if (slash != std::string_view::npos) {
        const auto key = parse_key(local.substr(slash + 1));
        if (!key) return bad_flag(text, "has a key that is not a number", kMappingForm);
        mapping.remote_configuration_key = *key;
    }
    const auto port = parse_int(local.substr(0, slash));
    if (!port || *port < 0 || *port > 65535) {
        return bad_flag(text, "needs a port from 0 (any) to 65535", kMappingForm);
    }
    mapping.port = static_cast<std::uint16_t>(*port);
    return mapping;
}

Result<TargetFlag> parse_target_flag(std::string_view text) {
    // A hybrid connection may have '/' in its name, a host and a port may not.
    const auto slash = text.rfind('/');
    if (slash == std::string_view::npos) {
        if (hc::parse_target(text, ""))
            return wrong_form(text, fmt::format("names no hybrid connection; write NAME/{}", text));
        return bad_flag(text, "names no target", kTargetForm);
    }
    std::string_view entity = text.substr(0, slash);
    std::string_view host = text.substr(slash + 1);
    TargetFlag flag;
    // Both simple:5011/host:port and, in the manner of -L, simple/5011/host:port would be readable;
    // only the first is accepted, since the second could be a longer name.
    if (const auto colon = entity.rfind(':'); colon != std::string_view::npos) {
        const auto key = parse_key(entity.substr(colon + 1));
        if (!key) return bad_flag(text, "has a key that is not a number", kTargetForm);
        flag.key = *key;
        entity = entity.substr(0, colon);
    }
    flag.entity = entity;
    if (const auto why = hc::check_entity_path(flag.entity); !why.empty()) {
        return bad_flag(text, why, kTargetForm);
    }
    auto target = hc::parse_target(host, flag.entity);
    if (!target) return target.error().with_context(printable(text, 200));
    flag.target = std::move(*target);
    return flag;
}

}  // namespace hpb::config
