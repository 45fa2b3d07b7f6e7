#include "hpb/describe.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "hc/target_map.hpp"

namespace hpb::app {
namespace {

std::string address(std::string_view host, std::uint16_t port) {
    return hc::TargetAddress{std::string(host), port}.to_string();
}

std::string rule_line(const config::AccessRule& rule) {
    std::vector<std::string_view> rights;
    if (rule.manage) rights.emplace_back("Manage");
    if (rule.listen) rights.emplace_back("Listen");
    if (rule.send) rights.emplace_back("Send");
    return fmt::format("access rule {}: {} ({})", rule.name, fmt::join(rights, ", "),
                       rule.secondary_key.empty() ? "one key" : "two keys");
}

std::string access_lines(const config::RelayAccess& access) {
    std::string out = fmt::format("  relay {} over {}, ", access.address.authority(),
                                  access.address.secure ? "TLS" : "plain ws (no TLS)");
    if (access.anonymous)
        out += "without authentication\n";
    else
        out += access.signature.empty() ? fmt::format("access rule {}\n", access.key_name)
                                        : "a ready-made token\n";
    if (!access.ca_file.empty()) out += fmt::format("  trusting {}\n", access.ca_file);
    if (!access.proxy.host.empty()) {
        out +=
            fmt::format("  through the proxy {}{}\n", address(access.proxy.host, access.proxy.port),
                        access.proxy.user.empty() ? "" : " (with a password)");
    }
    return out;
}

std::string session_lines(const config::SessionOptions& session) {
    constexpr std::uint64_t kKilobyte = 1024;
    if (session.protocol == config::Protocol::v1) return "  speaks only v1: no sessions\n";
    return fmt::format(
        "  speaks {}; sessions outlive their channels by {} s, keep-alive {} s\n"
        "  {} MiB for all sessions, windows from {} to {} KiB\n",
        session.protocol == config::Protocol::v2
            ? "only v2"
            : "v2, or v1 if the other agent does not support v2",
        session.grace.count(), session.keep_alive.count(),
        session.memory_budget / kKilobyte / kKilobyte, session.stream_window / kKilobyte,
        session.max_stream_window / kKilobyte);
}

}  // namespace

std::string describe(const config::RelayOptions& options) {
    std::string out = "relay\n";
    for (const auto& listen : options.listen) {
        out += fmt::format("  listens on {} ({})\n", address(listen.host, listen.port),
                           options.insecure ? "plain ws, no TLS" : "TLS");
    }
    if (!options.insecure) out += fmt::format("  certificate {}\n", options.certificate_file);
    for (const auto& rule : options.access_rules) out += "  " + rule_line(rule) + "\n";
    for (const auto& connection : options.hybrid_connections) {
        out += fmt::format("  hybrid connection {}{}{}\n", connection.path,
                           connection.requires_client_authorization ? "" : ", open to every sender",
                           connection.has_user_metadata ? ", with user metadata" : "");
        for (const auto& rule : connection.access_rules) out += "    " + rule_line(rule) + "\n";
    }
    return out;
}

std::string describe(const config::ServiceOptions& options) {
    std::string out =
        "service agent\n" + access_lines(options.relay) + session_lines(options.session);
    for (const auto& entity : options.entities) {
        out += fmt::format("  hybrid connection {}\n", entity.path);
        for (const auto& [key, target] : entity.targets) {
            out += fmt::format("    key {} goes to {}\n", key, target.to_string());
        }
        if (entity.use_user_metadata) {
            out += fmt::format("    {} from the relay's user metadata\n",
                               entity.targets.empty() ? "targets" : "other keys");
        }
    }
    return out;
}

std::string describe(const config::ClientOptions& options) {
    std::string out =
        "client agent\n" + access_lines(options.relay) + session_lines(options.session);
    for (const auto& mapping : options.mappings) {
        out += fmt::format("  {} goes to {} with key {} ({} channel{}{})\n",
                           address(mapping.bind_address, mapping.port), mapping.entity,
                           mapping.remote_configuration_key, mapping.relay_channel_count,
                           mapping.relay_channel_count == 1 ? "" : "s",
                           mapping.accept_from.admits_nobody() ? ", nobody may connect" : "");
    }
    return out;
}

}  // namespace hpb::app
