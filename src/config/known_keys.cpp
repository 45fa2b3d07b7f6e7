#include "config/known_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

namespace hpb::config {
namespace {

// '*' stands for any one part (a port, a hybrid connection, an item's number), '**' for any rest.
constexpr std::string_view kKnownKeys[] = {
    "PortBridge:ServiceNamespace:ServiceNamespace",
    "PortBridge:ServiceNamespace:AccessRuleName",
    "PortBridge:ServiceNamespace:AccessRuleKey",
    "PortBridge:ServiceNamespace:AccessRuleKeyFile",
    "PortBridge:ServiceNamespace:ConnectionString",
    "PortBridge:ServiceNamespace:NoAuthentication",
    "PortBridge:ServiceNamespace:CaFile",
    "PortBridge:ServiceNamespace:RendezvousHosts",
    "PortBridge:ServiceNamespace:RendezvousHosts:*",
    "PortBridge:ServiceNamespace:Proxy",
    "PortBridge:PortMappings:*:EntityPath",
    "PortBridge:PortMappings:*:RemoteConfigurationKey",
    "PortBridge:PortMappings:*:BindToAddress",
    "PortBridge:PortMappings:*:AcceptFromIpAddresses",
    "PortBridge:PortMappings:*:AcceptFromIpAddresses:*",
    "PortBridge:PortMappings:*:RelayChannelCount",
    "PortBridge:PortMappings:*:RelayConnectionTtlSeconds",
    "PortBridge:EntityPaths",
    "PortBridge:EntityPaths:*",
    "PortBridge:Targets:*",
    "PortBridge:Targets:*:*",
    "PortBridge:UseUserMetadata",
    "PortBridge:ConnectionIdleSeconds",
    "PortBridge:UnacknowledgedSeconds",
    "PortBridge:ChannelsUnderLoad",
    "PortBridge:ChannelIdleSeconds",
    "PortBridge:CloseLingerMilliseconds",
    "PortBridge:HalfCloseLingerMilliseconds",
    "PortBridge:ReopenAfterTargetClose",
    "PortBridge:ConnectTimeoutSeconds",
    "PortBridge:MaxConnections",
    "PortBridge:MaxChannels",
    "PortBridge:BusyPollMicroseconds",
    "PortBridge:Protocol",
    "PortBridge:SessionGraceSeconds",
    "PortBridge:KeepAliveSeconds",
    "PortBridge:SessionIdleSeconds",
    "PortBridge:MaxSessions",
    "PortBridge:MemoryBudgetMegabytes",
    "PortBridge:StreamWindowKilobytes",
    "PortBridge:MaxStreamWindowKilobytes",
    "Relay:Listen",
    "Relay:Listen:*",
    "Relay:Insecure",
    "Relay:Tls:CertificateFile",
    "Relay:Tls:KeyFile",
    "Tls:Records",
    "Tls:Cipher",
    "Relay:HostNames",
    "Relay:HostNames:*",
    "Relay:PublicAddress",
    "Relay:TrustedProxies",
    "Relay:TrustedProxies:*",
    "Relay:AccessRules:*:Name",
    "Relay:AccessRules:*:Key",
    "Relay:AccessRules:*:KeyFile",
    "Relay:AccessRules:*:SecondaryKey",
    "Relay:AccessRules:*:SecondaryKeyFile",
    "Relay:AccessRules:*:Rights",
    "Relay:AccessRules:*:Rights:*",
    "Relay:HybridConnections:*:RequiresClientAuthorization",
    "Relay:HybridConnections:*:UserMetadata",
    "Relay:HybridConnections:*:UserMetadata:**",
    "Relay:HybridConnections:*:AccessRules:*:Name",
    "Relay:HybridConnections:*:AccessRules:*:Key",
    "Relay:HybridConnections:*:AccessRules:*:KeyFile",
    "Relay:HybridConnections:*:AccessRules:*:SecondaryKey",
    "Relay:HybridConnections:*:AccessRules:*:SecondaryKeyFile",
    "Relay:HybridConnections:*:AccessRules:*:Rights",
    "Relay:HybridConnections:*:AccessRules:*:Rights:*",
    "Relay:Threads",
    "Relay:BusyPollMicroseconds",
    "Relay:MaxConnections",
    "Relay:MaxHandshakes",
    "Relay:MaxHeadBytes",
    "Relay:MaxListeners",
    "Relay:MaxPendingSenders",
    "Relay:HandshakeTimeoutSeconds",
    "Relay:RendezvousTimeoutSeconds",
    "Relay:CloseTimeoutSeconds",
    "Relay:HalfCloseTimeoutSeconds",
    "Relay:PingIntervalSeconds",
    "Relay:TokenGraceSeconds",
    "Relay:ClockSkewSeconds",
    "Relay:RefusalDelayMilliseconds",
    "Serilog:Using",
    "Serilog:Using:*",
    "Serilog:MinimumLevel",
    "Serilog:MinimumLevel:Default",
    "Serilog:MinimumLevel:ControlledBy",
    "Serilog:MinimumLevel:Override:*",
    "Serilog:WriteTo",
    "Serilog:WriteTo:*",
    "Serilog:WriteTo:*:Name",
    "Serilog:WriteTo:*:Args:**",
    "Serilog:AuditTo:**",
    "Serilog:Properties:**",
    "Serilog:Enrich:**",
    "Serilog:Filter:**",
    "Serilog:FilterSwitches:**",
    "Serilog:Destructure:**",
    "Serilog:LevelSwitches:**",
    "AgentMetrics:MetricsOptions:DefaultContextLabel",
    "AgentMetrics:MetricsOptions:GlobalTags:*",
    "AgentMetrics:MetricsOptions:Enabled",
    "AgentMetrics:MetricsOptions:ReportingEnabled",
    "AgentMetrics:ReportingOptions:ReportingFlushIntervalSeconds",
    "AgentMetrics:ReportingOptions:ReportConsole",
    "AgentMetrics:ReportingOptions:ReportFile",
};

struct Node {
    std::string name;
    bool is_value = false;
    std::map<std::string, std::unique_ptr<Node>> children;  // by lower-case name
};

const Node& known_keys() {
    static const Node root = [] {
        Node top;
        for (const std::string_view key : kKnownKeys) {
            Node* node = &top;
            for (const std::string_view part : split(key, ':')) {
                auto& child = node->children[to_lower(part)];
                if (!child) child = std::make_unique<Node>();
                child->name = part;
                node = child.get();
            }
            node->is_value = true;
        }
        return top;
    }();
    return root;
}

/// The remedy for an unknown part below `node`.
std::string suggestion(const Node& node, std::string_view part, std::string_view prefix) {
    std::vector<std::string_view> names;
    for (const auto& [key, child] : node.children) {
        if (child->name != "*") names.push_back(child->name);
    }
    const std::string_view near = nearest(part, names);
    if (!near.empty()) {
        return fmt::format("did you mean {}{}{}?", prefix, prefix.empty() ? "" : ":", near);
    }
    return "remove it, or see docs/configuration.md for the keys there are";
}

void check(const Setting& setting, Diagnostics& diagnostics) {
    const Node* node = &known_keys();
    std::string prefix;
    for (const std::string_view part : split(setting.path, ':')) {
        if (node->children.contains("**")) return;
        auto child = node->children.find(to_lower(part));
        if (child == node->children.end()) child = node->children.find("*");
        if (child == node->children.end()) {
            diagnostics.warnings.push_back({setting.origin, setting.path,
                                            "unknown key, it has no effect",
                                            suggestion(*node, part, prefix)});
            return;
        }
        node = child->second.get();
        prefix += prefix.empty() ? "" : ":";
        prefix += node->name == "*" ? part : std::string_view(node->name);
    }
    // null and "" stand for an absent section.
    if (node->is_value || node->children.contains("**") || setting.value.empty()) return;
    const bool takes_items = node->children.contains("*") && node->children.size() == 1 &&
                             node->children.at("*")->is_value;
    diagnostics.errors.push_back({setting.origin, setting.path, "a single value does not fit here",
                                  takes_items ? "write a list: [ … ]" : "write an object: { … }"});
}

}  // namespace

void check_known_keys(const LayeredSource& source, Diagnostics& diagnostics) {
    for (const auto& name : source.sections()) {
        const std::string_view near = nearest(name, kSections);
        // Other programs' sections are none of our business; a slip in one of ours is.
        const bool is_slip = near.size() < name.size() + 3 && name.size() < near.size() + 3;
        if (near.empty() || iequals(near, name) || !is_slip) continue;
        diagnostics.warnings.push_back({source.origin_of_section(name), name,
                                        "unknown section, it has no effect",
                                        fmt::format("did you mean {}?", near)});
    }
    for (const std::string_view section : kSections) {
        if (const Setting* value = source.find(section)) check(*value, diagnostics);
        for (const Setting* setting : source.below(section)) check(*setting, diagnostics);
    }
}

}  // namespace hpb::config
