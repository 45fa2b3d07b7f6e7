#include "config/relay_access.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/proxy.hpp"
#include "hc/connection_string.hpp"
#include "hc/sas_token.hpp"

namespace hpb::config {
namespace {

constexpr std::string_view kSection = "PortBridge:ServiceNamespace";

std::string key_of(std::string_view name) {
    return fmt::format("{}:{}", kSection, name);
}

int layer_of(const Setting* setting) {
    return setting == nullptr ? 0 : setting->layer;
}

struct ParsedConnectionString {
    const Setting* setting = nullptr;  ///< nullptr: none, or not usable
    hc::ConnectionString value;
};

ParsedConnectionString read_connection_string(SettingReader& reader) {
    const Setting* setting = reader.find(key_of("ConnectionString"));
    if (setting == nullptr) return {};
    auto parsed = hc::parse_connection_string(trim(without_byte_order_mark(trim(setting->value))));
    if (parsed) return {setting, std::move(*parsed)};
    reader.error(*setting, parsed.error().message(),
                 "copy it again; it looks like "
                 "Endpoint=sb://host/;SharedAccessKeyName=…;SharedAccessKey=…");
    return {};
}

void read_address(SettingReader& reader, const ParsedConnectionString& connection,
                  hc::RelayAddress& address) {
    const Setting* named = reader.find(key_of("ServiceNamespace"));
    const bool use_connection_string =
        connection.setting != nullptr && layer_of(connection.setting) > layer_of(named);
    const Setting* from = use_connection_string ? connection.setting : named;
    if (from == nullptr) {
        // A connection string that is there and can't be read has been reported already.
        if (reader.find(key_of("ConnectionString")) != nullptr) return;
        reader.missing(key_of("ServiceNamespace"), "the relay's host name is missing",
                       "set it to the relay's host name, or use --relay or -x");
        return;
    }
    if (named != nullptr && connection.setting != nullptr &&
        layer_of(named) == layer_of(connection.setting)) {
        reader.warning(*connection.setting,
                       "its Endpoint has no effect: ServiceNamespace is set too",
                       "keep one of the two");
    }
    // A connection string in this place would otherwise be repeated in the message, key and all.
    if (!use_connection_string && named->value.find(';') != std::string::npos) {
        reader.error(*named, "this is not a host name: it looks like a connection string",
                     "put it into ConnectionString, HPB_CONNECTION_STRING or -x");
        return;
    }
    auto parsed = hc::parse_relay_address(
        trim(use_connection_string ? connection.value.endpoint : named->value));
    if (parsed) {
        address = std::move(*parsed);
    } else {
        reader.error(*from, parsed.error().message(),
                     "write a host name, host:port, or sb://host:port/");
    }
}

/// True for a sender without a token: NoAuthentication, unless a higher layer has credentials.
bool is_anonymous(SettingReader& reader, AccessRole role, int credentials_layer) {
    const std::string path = key_of("NoAuthentication");
    if (!reader.boolean(path, false)) return false;
    const Setting& setting = *reader.find(path);
    if (role != AccessRole::sender) {
        reader.warning(setting,
                       "it has no effect here: only the client agent can work without a key", "");
        return false;
    }
    if (credentials_layer > setting.layer) return false;
    if (credentials_layer == setting.layer) {
        reader.warning(setting, "the access rule beside it is not used", "remove one of the two");
    }
    return true;
}

void read_credentials(SettingReader& reader, const ParsedConnectionString& connection,
                      AccessRole role, RelayAccess& access) {
    const Setting* name = reader.find(key_of("AccessRuleName"));
    const Setting* key = reader.find(key_of("AccessRuleKey"));
    const Setting* file = reader.find(key_of("AccessRuleKeyFile"));
    const int explicit_layer = std::max({layer_of(name), layer_of(key), layer_of(file)});
    const hc::ConnectionString& string = connection.value;
    const bool string_has_any = !string.key_name.empty() || !string.signature.empty();
    const int string_layer = string_has_any ? layer_of(connection.setting) : 0;
    access.anonymous = is_anonymous(reader, role, std::max(explicit_layer, string_layer));
    if (access.anonymous) return;
    if (string_has_any && layer_of(connection.setting) > explicit_layer) {
        access.key_name = string.key_name;
        access.key = string.key;
        access.signature = string.signature;
        return;
    }
    if (key != nullptr && file != nullptr && key->layer == file->layer) {
        reader.error(*file, "AccessRuleKey is set too", "keep one of the two");
    }
    access.key_name = name != nullptr ? std::string(trim(name->value)) : string.key_name;
    if (file != nullptr && file->layer >= layer_of(key)) {
        access.key = reader.secret_file(key_of("AccessRuleKeyFile"));
        if (access.key.empty()) return;  // reported
    } else {
        access.key = key != nullptr ? std::string(trim(key->value)) : string.key;
    }
    if (access.key_name.empty() && access.key.empty() && !string.signature.empty()) {
        access.signature = string.signature;
        return;
    }
    // A connection string that is there and can't be read has been reported already.
    if (connection.setting == nullptr && reader.find(key_of("ConnectionString")) != nullptr) return;
    if (access.key_name.empty()) {
        reader.missing(
            key_of("AccessRuleName"), "the access rule's name is missing",
            "set it, or use --rule or -x; a client agent can do without it, with --no-auth "
            "(NoAuthentication), where the hybrid connection allows that");
    }
    if (access.key.empty()) {
        reader.missing(key_of("AccessRuleKey"), "the access rule's key is missing",
                       "set it or AccessRuleKeyFile, or use --rule-key-file or -x");
    }
    if (access.key.size() > hc::kMaxKeySize || access.key_name.size() > hc::kMaxKeyNameSize) {
        reader.missing(key_of("AccessRuleKey"), "the access rule's name or key is too long",
                       fmt::format("each has {} characters at most", hc::kMaxKeySize));
    }
}

}  // namespace

RelayAccessResult read_relay_access(SettingReader& reader, const SourceInputs& inputs,
                                    AccessRole role) {
    RelayAccessResult result;
    const ParsedConnectionString connection = read_connection_string(reader);
    read_address(reader, connection, result.access.address);
    read_credentials(reader, connection, role, result.access);
    result.entity_path = connection.value.entity_path;
    for (const Setting* host : reader.list(key_of("RendezvousHosts")))
        result.access.rendezvous_hosts.emplace_back(trim(host->value));
    result.access.tls = read_tls_options(reader);
    result.access.ca_file = reader.readable_file(key_of("CaFile"));
    if (!result.access.address.host.empty()) {
        result.access.proxy = choose_proxy(reader, inputs, result.access.address);
    }
    return result;
}

}  // namespace hpb::config
