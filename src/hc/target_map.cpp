#include "hc/target_map.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <limits>
#include <optional>
#include <vector>

#include "base/text.hpp"
#include "hc/host.hpp"
#include "hc/json.hpp"
#include "hc/lenient_json.hpp"
#include "hc/sas_token.hpp"

namespace hpb::hc {
namespace {

constexpr std::size_t kMaxMetadataSize = 64 * 1024;
constexpr std::string_view kEntityPlaceholder = "$(e)";

Error bad_target(std::string_view text, std::string_view why) {
    return {errc::malformed_address, fmt::format("target '{}': {}", printable(text, 200), why)};
}

Error bad_metadata(std::string_view why) {
    return {errc::malformed_metadata, fmt::format("user metadata: {}", why)};
}

std::string expand_entity(std::string_view host, std::string_view entity) {
    std::string out;
    for (;;) {
        const auto at = host.find(kEntityPlaceholder);
        out += host.substr(0, at);
        if (at == std::string_view::npos) return out;
        out += entity;
        host.remove_prefix(at + kEntityPlaceholder.size());
    }
}

/// As .NET reads an int: spaces around, one sign.
std::optional<std::int32_t> parse_configuration_key(std::string_view text) {
    text = trim(text);
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) return std::nullopt;
    }
    const auto number = parse_int(text);
    if (!number || *number < std::numeric_limits<std::int32_t>::min() ||
        *number > std::numeric_limits<std::int32_t>::max()) {
        return std::nullopt;
    }
    return static_cast<std::int32_t>(*number);
}

/// The member called `name`; the exact spelling first, then any case.
const boost::json::value* find_member(const boost::json::object& object, std::string_view name) {
    if (const auto* value = object.if_contains({name.data(), name.size()})) return value;
    for (const auto& member : object) {
        if (iequals({member.key().data(), member.key().size()}, name)) return &member.value();
    }
    return nullptr;
}

/// Adds one item of the array to `map`. @return what is wrong with it, or "".
std::string add_item(const boost::json::value& item, std::string_view entity, TargetMap& map) {
    const auto* object = item.if_object();
    if (object == nullptr) return "expected an object with 'key' and 'value'";
    const auto* key = find_member(*object, "key");
    const auto* value = find_member(*object, "value");
    if (key == nullptr) return "'key' is missing";
    if (value == nullptr || value->is_null()) return "'value' is missing";
    const auto key_text = scalar_text(*key);
    const auto number = key_text ? parse_configuration_key(*key_text) : std::nullopt;
    if (!number) return {};
    if (!value->is_string()) return fmt::format("the 'value' of key {} is not a string", *number);
    const auto target = parse_target(std::string_view(value->get_string()), entity);
    if (!target) return fmt::format("key {}: {}", *number, target.error().message());
    map[*number] = *target;
    return {};
}

}  // namespace

std::string TargetAddress::to_string() const {
    const bool is_ipv6 = host.find(':') != std::string::npos;
    return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<TargetAddress> parse_target(std::string_view text, std::string_view entity) {
    auto rest = trim(text);
    if (rest.starts_with("tcp:")) rest.remove_prefix(4);
    TargetAddress target;
    std::string_view port;
    if (rest.starts_with('[')) {
        const auto end = rest.find(']');
        if (end == std::string_view::npos || !rest.substr(end).starts_with("]:")) {
            return bad_target(text, "expected [IPv6 address]:port");
        }
        target.host = rest.substr(1, end - 1);
        port = rest.substr(end + 2);
        if (!is_ipv6_literal(target.host)) return bad_target(text, "not an IPv6 address");
    } else {
        std::vector<std::string_view> parts;
        for (const auto part : split(rest, ':')) {
            if (!part.empty()) parts.push_back(part);
        }
        // The existing bridge drops empty pieces, which must not turn "::1:22" into host 1,
        // port 22.
        if (parts.size() != 2 || is_ipv6_literal(rest)) {
            return bad_target(text, "expected tcp:host:port, with an IPv6 address in brackets");
        }
        target.host = expand_entity(trim(parts[0]), entity);
        port = parts[1];
        if (!is_host_name(target.host)) return bad_target(text, "not a host name or IP address");
    }
    target.port = parse_port(trim(port));
    if (target.port == 0) return bad_target(text, "the port must be 1 to 65535");
    return target;
}

Result<TargetMap> parse_user_metadata(std::string_view json, std::string_view entity) {
    if (trim(json).empty()) {
        return bad_metadata(R"(empty; expected [{"key":"5011","value":"tcp:host:5011"}])");
    }
    if (json.size() > kMaxMetadataSize) {
        return bad_metadata(fmt::format("larger than {} bytes", kMaxMetadataSize));
    }
    const auto parsed =
        parse_lenient_json(json, make_error_code(errc::malformed_metadata), "user metadata");
    if (!parsed) return parsed.error();
    const auto* items = parsed->if_array();
    if (items == nullptr) {
        return bad_metadata(
            R"(not a JSON array; expected [{"key":"5011","value":"tcp:host:5011"}])");
    }
    TargetMap map;
    for (std::size_t i = 0; i < items->size(); ++i) {
        if (const auto why = add_item((*items)[i], entity, map); !why.empty()) {
            return bad_metadata(fmt::format("item {}: {}", i + 1, why));
        }
    }
    if (map.empty()) return bad_metadata("no item has an integer 'key'");
    return map;
}

}  // namespace hpb::hc
