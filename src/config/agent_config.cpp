#include "config/agent_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "config/dotnet_values.hpp"
#include "config/exposure.hpp"
#include "config/relay_access.hpp"
#include "config/session_config.hpp"
#include "config/setting_reader.hpp"

namespace hpb::config {
namespace {

constexpr std::string_view kMappings = "PortBridge:PortMappings";
constexpr std::string_view kEntities = "PortBridge:EntityPaths";
constexpr std::string_view kTargets = "PortBridge:Targets";
constexpr std::string_view kReopen = "PortBridge:ReopenAfterTargetClose";
constexpr int kMaxChannelCount = 64;
constexpr long long kMaxInt32 = std::numeric_limits<std::int32_t>::max();
constexpr long long kMinInt32 = std::numeric_limits<std::int32_t>::min();
constexpr long long kMaxBusyPoll = 1000;
constexpr long long kMaxSeconds = 365LL * 24 * 3600;
constexpr long long kMaxLinger = 600'000;

std::string below(std::string_view section, std::string_view name) {
    return fmt::format("{}:{}", section, name);
}

/// "/simple/" and "simple" are the same hybrid connection.
std::string_view without_slashes(std::string_view path) {
    path = trim(path);
    while (path.starts_with('/')) path.remove_prefix(1);
    while (path.ends_with('/')) path.remove_suffix(1);
    return path;
}

void read_bind_address(SettingReader& reader, const std::string& section, ClientMapping& mapping) {
    mapping.bind_address = "0.0.0.0";
    const Setting* bind = reader.find(below(section, "BindToAddress"));
    if (bind == nullptr) return;
    std::string_view address = trim(bind->value);
    if (iequals(address, "localhost")) address = "127.0.0.1";
    if (address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
    }
    const auto ip = parse_dotnet_ip(address);
    if (!ip) {
        reader.error(*bind, fmt::format("'{}' is not a valid IP address", printable(address, 80)),
                     "write an address of this host, 0.0.0.0 or :: for all, or localhost");
        return;
    }
    mapping.bind_address = parse_ip(address) ? std::string(address) : ipv4_text(*ip);
    if (is_surprising_ip(address)) {
        reader.warning(*bind,
                       fmt::format("'{}' means {} in .NET and here", printable(address, 80),
                                   mapping.bind_address),
                       "write that");
    }
}

void read_accept_from(SettingReader& reader, const std::string& section, ClientMapping& mapping) {
    const std::string path = below(section, "AcceptFromIpAddresses");
    const auto items = reader.list(path);
    for (const Setting* item : items) {
        const bool counts = !mapping.accept_from.admits_everybody();
        const auto added = mapping.accept_from.add(item->value);
        if (!counts) {
            // The existing bridge reads no further, so what comes now may be anything.
            if (!added) {
                reader.warning(*item, added.error().message() + ", and has no effect after *",
                               "remove it");
            }
        } else if (added) {
            if (!added->empty()) reader.warning(*item, *added, "");
        } else {
            reader.error(*item, added.error().message(),
                         "write *, an IP address, first-last or address/prefix");
        }
    }
    if (items.empty() && mapping.accept_from.admits_nobody()) {
        reader.diagnostics().warnings.push_back({reader.source().origin_of_section(section), path,
                                                 "nobody may connect to this port",
                                                 R"(list addresses, or ["*"] for everybody)"});
    }
}

/// The existing bridge sets no limit.
int read_channel_count(SettingReader& reader, const std::string& path) {
    const Setting* setting = reader.find(path);
    const auto count = parse_dotnet_int(setting == nullptr ? "" : setting->value);
    if (!count || *count <= kMaxChannelCount)
        return static_cast<int>(reader.integer(path, 1, 1, kMaxChannelCount));
    reader.warning(*setting, fmt::format("{} channels are too many", *count),
                   fmt::format("{} are used, which is the limit", kMaxChannelCount));
    return kMaxChannelCount;
}

void read_mapping(SettingReader& reader, const std::string& name, const std::string& default_entity,
                  ClientOptions& options) {
    const std::string section = below(kMappings, name);
    ClientMapping mapping;
    const auto port = parse_dotnet_int(name);
    if (!port || *port < 1 || *port > 65535) {
        reader.missing(section, "the key of a mapping is its local port",
                       "write a number from 1 to 65535");
    } else {
        mapping.port = static_cast<std::uint16_t>(*port);
    }
    const Setting* entity = reader.find(below(section, "EntityPath"));
    mapping.entity = entity == nullptr ? default_entity : without_slashes(entity->value);
    if (mapping.entity.empty()) {
        reader.missing(below(section, "EntityPath"), "the hybrid connection is missing",
                       "set it to the hybrid connection's name");
    } else if (const auto why = hc::check_entity_path(mapping.entity); !why.empty()) {
        if (entity != nullptr) reader.error(*entity, why, "use the name that the relay has");
    }
    mapping.remote_configuration_key = static_cast<std::int32_t>(
        reader.integer(below(section, "RemoteConfigurationKey"), 0, kMinInt32, kMaxInt32));
    read_bind_address(reader, section, mapping);
    read_accept_from(reader, section, mapping);
    mapping.relay_channel_count = read_channel_count(reader, below(section, "RelayChannelCount"));
    mapping.relay_connection_ttl =
        reader.seconds(below(section, "RelayConnectionTtlSeconds"), mapping.relay_connection_ttl,
                       kMinInt32, kMaxInt32);
    options.mappings.push_back(std::move(mapping));
}

void append_mapping_flags(const ClientFlags& flags, ClientOptions& options,
                          Diagnostics& diagnostics) {
    for (const auto& text : flags.mappings) {
        auto mapping = parse_mapping_flag(text);
        if (!mapping) {
            diagnostics.errors.push_back({"command line", "-L", mapping.error().message(), ""});
            continue;
        }
        mapping->relay_channel_count = flags.channels;
        mapping->relay_connection_ttl = flags.channel_ttl;
        options.mappings.push_back(std::move(*mapping));
    }
}

void check_mappings_differ(const ClientOptions& options, Diagnostics& diagnostics) {
    std::set<std::pair<std::string, std::uint16_t>> seen;
    for (const auto& mapping : options.mappings) {
        if (mapping.port == 0 || seen.emplace(mapping.bind_address, mapping.port).second) continue;
        diagnostics.errors.push_back(
            {"configuration", std::string(kMappings),
             fmt::format("port {} on {} is mapped twice", mapping.port, mapping.bind_address),
             "keep one of the two mappings"});
    }
}

/// A target's value below PortBridge:Targets, added to `entity` under the key `name`.
void add_target(SettingReader& reader, const Setting& setting, std::string_view name,
                ServiceEntity& entity) {
    const auto key = parse_dotnet_int(name);
    if (!key || *key < kMinInt32 || *key > kMaxInt32) {
        reader.error(setting, "its key is not a number", "use the client's RemoteConfigurationKey");
        return;
    }
    auto target = hc::parse_target(trim(setting.value), entity.path);
    if (!target) {
        reader.error(setting, target.error().message(), "write tcp:host:port or host:port");
        return;
    }
    entity.targets.insert_or_assign(static_cast<std::int32_t>(*key), std::move(*target));
}

ServiceEntity* find_entity(std::vector<ServiceEntity>& entities, std::string_view path) {
    const auto it =
        std::find_if(entities.begin(), entities.end(),
                     [&](const ServiceEntity& entity) { return iequals(entity.path, path); });
    return it == entities.end() ? nullptr : &*it;
}

void read_targets(SettingReader& reader, ServiceOptions& options) {
    const auto names = reader.source().children(kTargets);
    // First what is for all hybrid connections, so that what is for one of them wins.
    for (const auto& name : names) {
        const Setting* for_all = reader.find(below(kTargets, name));
        if (for_all == nullptr) continue;
        for (auto& entity : options.entities) add_target(reader, *for_all, name, entity);
    }
    for (const auto& name : names) {
        const std::string section = below(kTargets, name);
        const auto keys = reader.source().children(section);
        if (keys.empty()) continue;
        ServiceEntity* entity = find_entity(options.entities, without_slashes(name));
        if (entity == nullptr) {
            reader.diagnostics().warnings.push_back(
                {reader.source().origin_of_section(section), section,
                 "these targets have no effect: the hybrid connection is not served",
                 "add it to PortBridge:EntityPaths"});
            continue;
        }
        for (const auto& key : keys) {
            if (const Setting* target = reader.find(below(section, key))) {
                add_target(reader, *target, key, *entity);
            }
        }
    }
}

void read_entities(SettingReader& reader, const std::string& default_entity,
                   ServiceOptions& options) {
    const bool use_metadata = reader.boolean("PortBridge:UseUserMetadata", true);
    for (const Setting* item : reader.list(kEntities)) {
        ServiceEntity entity;
        entity.path = without_slashes(item->value);
        entity.use_user_metadata = use_metadata;
        if (const auto why = hc::check_entity_path(entity.path); !why.empty()) {
            reader.error(*item, why, "use the name that the relay has");
        } else if (find_entity(options.entities, entity.path) != nullptr) {
            reader.warning(*item, "the hybrid connection is listed twice", "remove one of the two");
        } else {
            options.entities.push_back(std::move(entity));
        }
    }
    if (options.entities.empty() && !default_entity.empty()) {
        options.entities.push_back({default_entity, {}, use_metadata});
    }
}

void append_target_flags(const ServiceFlags& flags, ServiceOptions& options,
                         Diagnostics& diagnostics) {
    std::set<std::pair<std::string, std::int32_t>> seen;
    for (const auto& text : flags.targets) {
        auto flag = parse_target_flag(text);
        if (!flag) {
            diagnostics.errors.push_back({"command line", "-T", flag.error().message(), ""});
            continue;
        }
        if (!seen.emplace(to_lower(flag->entity), flag->key).second) {
            diagnostics.errors.push_back(
                {"command line", "-T",
                 fmt::format("{} has two targets for key {}", flag->entity, flag->key),
                 "keep one of them"});
        }
        ServiceEntity* entity = find_entity(options.entities, flag->entity);
        if (entity == nullptr) {
            // All there is to know was said on the command line.
            options.entities.push_back({flag->entity, {}, false});
            entity = &options.entities.back();
        }
        entity->targets.insert_or_assign(flag->key, flag->target);
    }
}

}  // namespace

ClientOptions read_client_options(const LayeredSource& source, const SourceInputs& inputs,
                                  const ClientFlags& flags, Diagnostics& diagnostics) {
    SettingReader reader(source, diagnostics);
    ClientOptions options;
    RelayAccessResult relay = read_relay_access(reader, inputs, AccessRole::sender);
    options.relay = std::move(relay.access);
    warn_of_exposure(source, options.relay, diagnostics);
    options.session = read_session_options(reader);
    options.busy_poll =
        reader.microseconds("PortBridge:BusyPollMicroseconds", options.busy_poll, 0, kMaxBusyPoll);
    options.channels_under_load = reader.count("PortBridge:ChannelsUnderLoad",
                                               options.channels_under_load, 1, kMaxChannelCount);
    const auto ports = source.children(kMappings);
    for (const auto& port : ports) {
        // A value in place of the section has been reported (known_keys.hpp).
        if (reader.find(below(kMappings, port)) == nullptr)
            read_mapping(reader, port, relay.entity_path, options);
    }
    append_mapping_flags(flags, options, diagnostics);
    if (ports.empty() && flags.mappings.empty()) {
        reader.missing(kMappings, "there is no port to listen on",
                       "add a mapping, or use -L [bind:]port[/key]:hybrid-connection");
    }
    check_mappings_differ(options, diagnostics);
    options.channel_idle =
        reader.seconds("PortBridge:ChannelIdleSeconds", options.channel_idle, 1, kMaxSeconds);
    options.half_close_linger = reader.milliseconds("PortBridge:HalfCloseLingerMilliseconds",
                                                    options.half_close_linger, 0, kMaxLinger);
    options.connection_idle =
        reader.seconds("PortBridge:ConnectionIdleSeconds", options.connection_idle, 0, kMaxSeconds);
    options.unacknowledged =
        reader.seconds("PortBridge:UnacknowledgedSeconds", options.unacknowledged, 0, kMaxSeconds);
    options.max_connections =
        reader.count("PortBridge:MaxConnections", options.max_connections, 1, 1'000'000);
    return options;
}

ServiceOptions read_service_options(const LayeredSource& source, const SourceInputs& inputs,
                                    const ServiceFlags& flags, Diagnostics& diagnostics) {
    SettingReader reader(source, diagnostics);
    ServiceOptions options;
    RelayAccessResult relay = read_relay_access(reader, inputs, AccessRole::other);
    options.relay = std::move(relay.access);
    warn_of_exposure(source, options.relay, diagnostics);
    options.session = read_session_options(reader);
    options.busy_poll =
        reader.microseconds("PortBridge:BusyPollMicroseconds", options.busy_poll, 0, kMaxBusyPoll);
    read_entities(reader, flags.targets.empty() ? relay.entity_path : "", options);
    read_targets(reader, options);
    append_target_flags(flags, options, diagnostics);
    if (options.entities.empty() && reader.list(kEntities).empty() && flags.targets.empty()) {
        reader.missing(kEntities, "there is no hybrid connection to serve",
                       "list it, or use -T hybrid-connection[:key]/host:port");
    }
    for (const auto& entity : options.entities) {
        if (!entity.use_user_metadata && entity.targets.empty()) {
            reader.missing(below(kTargets, entity.path), "there is no target",
                           "add one, or set UseUserMetadata to true");
        }
    }
    options.close_linger = reader.milliseconds("PortBridge:CloseLingerMilliseconds",
                                               options.close_linger, 0, kMaxLinger);
    options.channel_idle =
        reader.seconds("PortBridge:ChannelIdleSeconds", options.channel_idle, 1, kMaxSeconds);
    options.connection_idle =
        reader.seconds("PortBridge:ConnectionIdleSeconds", options.connection_idle, 0, kMaxSeconds);
    options.unacknowledged =
        reader.seconds("PortBridge:UnacknowledgedSeconds", options.unacknowledged, 0, kMaxSeconds);
    if (reader.find(kReopen) != nullptr)
        options.reopen_after_target_close = reader.boolean(kReopen, false);
    options.connect_timeout =
        reader.seconds("PortBridge:ConnectTimeoutSeconds", options.connect_timeout, 1, 3600);
    options.max_connections =
        reader.count("PortBridge:MaxConnections", options.max_connections, 1, 1'000'000);
    options.max_channels = reader.count("PortBridge:MaxChannels", options.max_channels, 1, 100'000);
    return options;
}

}  // namespace hpb::config
