#include "config/exposure.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "config/proxy.hpp"

namespace hpb::config {
namespace {

bool others_may_read(const std::filesystem::path& file) {
    struct stat status{};
    return ::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
           (status.st_mode & S_IROTH) != 0;
}

/// True if the value is, or holds, a key or a password.
bool is_secret(const Setting& setting) {
    const auto colon = setting.path.rfind(':');
    const std::string name = to_lower(std::string_view(setting.path).substr(colon + 1));
    const std::string_view value = trim(setting.value);
    if (value.empty()) return false;
    if (name == "key" || name == "secondarykey" || name == "accessrulekey") return true;
    if (name == "connectionstring")
        return value.find("SharedAccess") != std::string_view::npos;  // …Key or …Signature
    return name == "proxy" && value.find('@') != std::string_view::npos;
}

/// "FILE:LINE" without the line.
std::string file_of(const Setting& setting) {
    return setting.origin.substr(0, setting.origin.rfind(':'));
}

void warn_of_open_files(const LayeredSource& source, std::string_view section,
                        Diagnostics& diagnostics) {
    std::set<std::string> told;
    for (const Setting* setting : source.below(section)) {
        const bool in_a_file = !setting->directory.empty();
        if (!in_a_file || !is_secret(*setting)) continue;
        const std::string file = file_of(*setting);
        if (!others_may_read(file) || !told.insert(file).second) continue;
        diagnostics.warnings.push_back({setting->origin, setting->path,
                                        "this secret is in a file that others may read",
                                        fmt::format("chmod o-r {}", file)});
    }
}

void warn_of_short_key(const LayeredSource& source, std::string_view section, std::string_view rule,
                       std::string_view key, Diagnostics& diagnostics) {
    if (key.empty() || key.size() >= kShortKey) return;
    diagnostics.warnings.push_back(
        {source.origin_of_section(section), std::string(section),
         fmt::format("the key of the rule '{}' has fewer than {} characters and can be guessed",
                     printable(rule, 80), kShortKey),
         "use what 'openssl rand -base64 32' prints"});
}

void warn_of_short_keys(const LayeredSource& source, const std::string& section,
                        const std::vector<AccessRule>& rules, Diagnostics& diagnostics) {
    for (const auto& rule : rules) {
        const bool first_is_short = !rule.key.empty() && rule.key.size() < kShortKey;
        warn_of_short_key(source, section, rule.name,
                          first_is_short ? rule.key : rule.secondary_key, diagnostics);
    }
}

}  // namespace

void warn_of_exposure(const LayeredSource& source, const RelayOptions& options,
                      Diagnostics& diagnostics) {
    warn_of_open_files(source, "Relay", diagnostics);
    if (!options.key_file.empty() && others_may_read(options.key_file)) {
        diagnostics.warnings.push_back({source.origin_of_section("Relay:Tls:KeyFile"),
                                        "Relay:Tls:KeyFile",
                                        options.key_file + " can be read by others",
                                        fmt::format("chmod o-r {}", options.key_file)});
    }
    warn_of_short_keys(source, "Relay:AccessRules", options.access_rules, diagnostics);
    for (const auto& connection : options.hybrid_connections) {
        warn_of_short_keys(source,
                           fmt::format("Relay:HybridConnections:{}:AccessRules", connection.path),
                           connection.access_rules, diagnostics);
    }
    const auto open = std::find_if(options.listen.begin(), options.listen.end(),
                                   [](const auto& at) { return !is_loopback(at.host); });
    if (options.insecure && open != options.listen.end()) {
        diagnostics.warnings.push_back(
            {source.origin_of_section("Relay:Insecure"), "Relay:Insecure",
             fmt::format("without TLS on {}, anybody on the path can read and change everything, "
                         "tokens included",
                         open->host),
             "use a certificate, or listen on 127.0.0.1 behind a proxy that terminates TLS"});
    }
}

void warn_of_exposure(const LayeredSource& source, const RelayAccess& access,
                      Diagnostics& diagnostics) {
    constexpr std::string_view kSection = "PortBridge:ServiceNamespace";
    warn_of_open_files(source, kSection, diagnostics);
    warn_of_short_key(source, kSection, access.key_name, access.key, diagnostics);
    if (!access.address.secure && !access.address.host.empty() &&
        !is_loopback(access.address.host)) {
        diagnostics.warnings.push_back(
            {source.origin_of_section(kSection), fmt::format("{}:ServiceNamespace", kSection),
             fmt::format("without TLS to {}, anybody on the path can read and change everything, "
                         "tokens included",
                         access.address.host),
             "use sb:// or https:// with a relay that has a certificate"});
    }
}

}  // namespace hpb::config
