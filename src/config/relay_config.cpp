#include "config/relay_config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/allow_list.hpp"
#include "config/exposure.hpp"
#include "config/setting_reader.hpp"
#include "hc/relay_uri.hpp"
#include "hc/sas_token.hpp"

namespace hpb::config {
namespace {

constexpr std::string_view kConnections = "Relay:HybridConnections";
constexpr std::string_view kAccessRules = "Relay:AccessRules";
constexpr std::size_t kMaxRules = 12;  // per level, as in Azure Relay
constexpr std::size_t kMaxConnections = 10'000;
constexpr std::size_t kMaxUserMetadata = 1024;  // characters, as in Azure Relay
constexpr long long kMaxBusyPoll = 1000;
constexpr long long kMaxSeconds = 24 * 3600;

std::string below(std::string_view section, std::string_view name) {
    return fmt::format("{}:{}", section, name);
}

void read_listen(SettingReader& reader, const RelayFlags& flags, RelayOptions& options) {
    for (const auto& text : flags.listen) {
        auto address = parse_listen_address(text);
        if (address) {
            options.listen.push_back(std::move(*address));
        } else {
            reader.diagnostics().errors.push_back(
                {"command line", "--listen", address.error().message(), ""});
        }
    }
    if (!flags.listen.empty()) return;
    const auto items = reader.list("Relay:Listen");
    for (const Setting* item : items) {
        auto address = parse_listen_address(item->value);
        if (address) {
            options.listen.push_back(std::move(*address));
        } else {
            reader.error(*item, address.error().message(), "");
        }
    }
    if (items.empty()) {
        reader.missing("Relay:Listen", "there is no address to listen on",
                       R"(add "Listen": ["0.0.0.0:443"], or use --listen)");
    }
}

void read_tls(SettingReader& reader, RelayOptions& options) {
    options.tls = read_tls_options(reader);
    options.insecure = reader.boolean("Relay:Insecure", false);
    const Setting* certificate = reader.find("Relay:Tls:CertificateFile");
    const Setting* key = reader.find("Relay:Tls:KeyFile");
    if (options.insecure) {
        if (certificate != nullptr) {
            reader.warning(*certificate,
                           "the certificate is not used: the relay is set to be insecure",
                           "remove Relay:Insecure or --insecure");
        }
        return;
    }
    options.certificate_file = reader.readable_file("Relay:Tls:CertificateFile");
    options.key_file = reader.readable_file("Relay:Tls:KeyFile");
    if (certificate == nullptr && key == nullptr) {
        reader.missing("Relay:Tls", "the relay has no certificate and no private key",
                       "name two PEM files here or with --cert and --key, or request plain ws:// "
                       "with --insecure");
    } else if (certificate == nullptr) {
        reader.missing("Relay:Tls:CertificateFile", "the private key has no certificate",
                       "name its PEM file here or with --cert");
    } else if (key == nullptr) {
        reader.missing("Relay:Tls:KeyFile", "the certificate has no private key",
                       "name its PEM file here or with --key");
    }
}

/// Key or KeyFile (SecondaryKey, SecondaryKeyFile), the higher layer's.
std::string read_key(SettingReader& reader, const std::string& section, std::string_view name) {
    const std::string key_path = below(section, name);
    const std::string file_path = key_path + "File";
    const Setting* key = reader.find(key_path);
    const Setting* file = reader.find(file_path);
    if (key != nullptr && file != nullptr && key->layer == file->layer) {
        reader.error(*file, fmt::format("{} is set too", name), "keep one of the two");
    }
    const bool use_file = file != nullptr && (key == nullptr || file->layer > key->layer);
    std::string secret = use_file ? reader.secret_file(file_path) : reader.text(key_path);
    if (secret.size() > hc::kMaxKeySize) {
        reader.error(use_file ? *file : *key, "the key is too long",
                     fmt::format("it has {} characters at most", hc::kMaxKeySize));
    }
    return secret;
}

void read_rights(SettingReader& reader, const std::string& section, AccessRule& rule) {
    const auto rights = reader.list(below(section, "Rights"));
    for (const Setting* right : rights) {
        const std::string_view name = trim(right->value);
        if (iequals(name, "Manage")) {
            rule.manage = rule.listen = rule.send = true;
        } else if (iequals(name, "Listen")) {
            rule.listen = true;
        } else if (iequals(name, "Send")) {
            rule.send = true;
        } else {
            reader.error(*right, fmt::format("unknown right '{}'", printable(name, 40)),
                         "the rights are Manage, Listen and Send");
        }
    }
    if (rights.empty()) {
        reader.missing(below(section, "Rights"), "the rule grants no rights",
                       R"(list one or more of "Manage", "Listen" and "Send")");
    }
}

std::vector<AccessRule> read_rules(SettingReader& reader, const std::string& section) {
    std::vector<AccessRule> rules;
    for (const auto& item : reader.source().children(section)) {
        const std::string path = below(section, item);
        if (!reader.source().has(path) || rules.size() > kMaxRules) continue;
        AccessRule rule;
        rule.name = reader.text(below(path, "Name"));
        if (rule.name.empty()) {
            reader.missing(below(path, "Name"), "the rule has no name", "give it one");
        } else if (rule.name.size() > hc::kMaxKeyNameSize) {
            reader.error(*reader.find(below(path, "Name")), "the name is too long",
                         fmt::format("it has {} characters at most", hc::kMaxKeyNameSize));
        } else if (std::any_of(rules.begin(), rules.end(),
                               [&](const auto& r) { return iequals(r.name, rule.name); })) {
            reader.error(*reader.find(below(path, "Name")), "another rule has this name",
                         "a rule has two keys (SecondaryKey) so that they can be rotated");
        }
        const bool has_key = reader.find(below(path, "Key")) || reader.find(below(path, "KeyFile"));
        rule.key = read_key(reader, path, "Key");
        rule.secondary_key = read_key(reader, path, "SecondaryKey");
        if (!has_key) {
            reader.missing(
                below(path, "Key"), "the rule has no key",
                "set Key or KeyFile, for example to what 'openssl rand -base64 32' prints");
        }
        read_rights(reader, path, rule);
        rules.push_back(std::move(rule));
    }
    if (rules.size() > kMaxRules) {
        reader.missing(section, "there are too many rules",
                       fmt::format("{} is the limit", kMaxRules));
    }
    return rules;
}

void add_rule_flags(const RelayFlags& flags, RelayOptions& options, Diagnostics& diagnostics) {
    const auto error = [&](std::string flag, std::string what, std::string remedy) {
        diagnostics.errors.push_back(
            {"command line", std::move(flag), std::move(what), std::move(remedy)});
    };
    if (flags.rule.empty() && flags.rule_key_file.empty()) return;
    if (flags.rule.empty()) return error("--rule", "the rule has no name", "add --rule NAME");
    if (flags.rule_key_file.empty()) {
        return error("--rule-key-file", "the rule has no key", "add --rule-key-file FILE");
    }
    SecretFile secret = read_secret_file(flags.rule_key_file);
    if (!secret.warning.empty()) {
        diagnostics.warnings.push_back({"command line", "--rule-key-file", secret.warning,
                                        "chmod 600 " + flags.rule_key_file});
    }
    if (!secret.error.empty()) {
        return error("--rule-key-file", secret.error, "it must contain the key's text on one line");
    }
    if (secret.content.size() > hc::kMaxKeySize || flags.rule.size() > hc::kMaxKeyNameSize) {
        return error("--rule-key-file", "the rule's name or key is too long",
                     fmt::format("each has {} characters at most", hc::kMaxKeySize));
    }
    const auto same_name = std::find_if(options.access_rules.begin(), options.access_rules.end(),
                                        [&](const auto& r) { return iequals(r.name, flags.rule); });
    if (same_name != options.access_rules.end()) options.access_rules.erase(same_name);
    options.access_rules.push_back({flags.rule, secret.content, "", true, true, true});
}

/// The relay hands UserMetadata on as text; in the file it may be that text, or JSON.
void read_user_metadata(SettingReader& reader, const std::string& path,
                        HybridConnectionOptions& connection) {
    const Setting* text = reader.find(path);
    const Setting* json = reader.source().find_json(path);
    const Setting* winner =
        text == nullptr || (json != nullptr && json->layer > text->layer) ? json : text;
    if (winner == nullptr) return;
    connection.has_user_metadata = true;
    connection.user_metadata = winner->value;
    if (winner->value.size() > kMaxUserMetadata) {
        reader.warning(*winner, fmt::format("the text has {} bytes", winner->value.size()),
                       fmt::format("Azure Relay accepts {} at most", kMaxUserMetadata));
    }
}

bool may_listen(const std::vector<AccessRule>& rules) {
    return std::any_of(rules.begin(), rules.end(), [](const auto& rule) { return rule.listen; });
}

void read_connections(SettingReader& reader, const RelayFlags& flags, RelayOptions& options) {
    auto& connections = options.hybrid_connections;
    const auto known = [&](std::string_view path) {
        return std::any_of(connections.begin(), connections.end(),
                           [&](const auto& c) { return iequals(c.path, path); });
    };
    for (const auto& name : reader.source().children(kConnections)) {
        const std::string section = below(kConnections, name);
        HybridConnectionOptions connection;
        connection.path = name;
        if (const auto why = hc::check_entity_path(name); !why.empty()) {
            reader.missing(section, why, "rename the hybrid connection");
        }
        connection.requires_client_authorization =
            reader.boolean(below(section, "RequiresClientAuthorization"), true);
        connection.access_rules = read_rules(reader, below(section, "AccessRules"));
        read_user_metadata(reader, below(section, "UserMetadata"), connection);
        connections.push_back(std::move(connection));
    }
    for (const auto& path : flags.connections) {
        if (const auto why = hc::check_entity_path(path); !why.empty()) {
            reader.diagnostics().errors.push_back(
                {"command line", "--connection", fmt::format("'{}': {}", printable(path, 80), why),
                 ""});
        } else if (!known(path)) {
            connections.emplace_back().path = path;
        }
    }
    if (connections.size() > kMaxConnections) {
        reader.missing(kConnections, "there are too many hybrid connections",
                       fmt::format("{} is the limit", kMaxConnections));
    }
}

void check_usable(SettingReader& reader, const RelayOptions& options) {
    const auto warn = [&](std::string path, std::string what, std::string remedy) {
        reader.diagnostics().warnings.push_back({reader.source().origin_of_section("Relay"),
                                                 std::move(path), std::move(what),
                                                 std::move(remedy)});
    };
    if (options.hybrid_connections.empty()) {
        warn(std::string(kConnections), "there is no hybrid connection, so nobody can be served",
             "add one here or with --connection");
    }
    if (may_listen(options.access_rules)) return;
    for (const auto& connection : options.hybrid_connections) {
        if (may_listen(connection.access_rules)) continue;
        warn(below(kConnections, connection.path), "no access rule lets anybody listen on it",
             "add a rule with the right Listen to Relay:AccessRules");
    }
}

void read_limits(SettingReader& reader, RelayOptions& options) {
    options.threads = static_cast<unsigned>(reader.integer("Relay:Threads", 0, 0, 256));
    options.busy_poll =
        reader.microseconds("Relay:BusyPollMicroseconds", options.busy_poll, 0, kMaxBusyPoll);
    const auto count = [&](std::string_view name, std::size_t& value, std::size_t min,
                           std::size_t max) {
        value = reader.count(below("Relay", name), value, min, max);
    };
    count("MaxConnections", options.max_connections, 1, 1'000'000);
    count("MaxHandshakes", options.max_handshakes, 1, 100'000);
    count("MaxHeadBytes", options.max_head_bytes, 4096, 1024 * 1024);
    count("MaxListeners", options.max_listeners, 1, 1000);
    count("MaxPendingSenders", options.max_pending_senders, 1, 1'000'000);
    const auto seconds = [&](std::string_view name, std::chrono::seconds& value, long long min) {
        value = reader.seconds(below("Relay", name), value, min, kMaxSeconds);
    };
    seconds("HandshakeTimeoutSeconds", options.handshake_timeout, 1);
    seconds("RendezvousTimeoutSeconds", options.rendezvous_timeout, 1);
    seconds("HalfCloseTimeoutSeconds", options.half_close_timeout, 1);
    if (const Setting* old = reader.find("Relay:CloseTimeoutSeconds")) {
        reader.warning(*old,
                       "no longer has an effect: half-closed connections last as long as their TCP "
                       "connections",
                       "remove it, or set HalfCloseTimeoutSeconds");
    }
    seconds("PingIntervalSeconds", options.ping_interval, 1);
    seconds("TokenGraceSeconds", options.token_grace, 0);
    seconds("ClockSkewSeconds", options.clock_skew, 0);
    options.refusal_delay =
        reader.milliseconds("Relay:RefusalDelayMilliseconds", options.refusal_delay, 0, 60'000);
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
    text = trim(text);
    const auto bad = [&](std::string_view why) {
        return Error(make_error_code(errc::invalid_argument),
                     fmt::format("'{}' {}; write address:port, for example 0.0.0.0:443 or [::]:443",
                                 printable(text, 80), why));
    };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return bad("has no port");
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return bad("needs brackets around its IPv6 address");
    }
    if (host.empty() || host == "*") host = "0.0.0.0";
    if (iequals(host, "localhost")) host = "127.0.0.1";
    if (!parse_ip(host)) return bad("does not begin with an IP address");
    const auto port = parse_int(text.substr(colon + 1));
    if (!port || *port < 0 || *port > 65535) return bad("has no port from 0 to 65535");
    return ListenAddress{std::string(host), static_cast<std::uint16_t>(*port)};
}

RelayOptions read_relay_options(const LayeredSource& source, const RelayFlags& flags,
                                Diagnostics& diagnostics) {
    SettingReader reader(source, diagnostics);
    RelayOptions options;
    read_listen(reader, flags, options);
    read_tls(reader, options);
    for (const Setting* name : reader.list("Relay:HostNames")) {
        options.host_names.emplace_back(trim(name->value));
    }
    options.public_address = reader.text("Relay:PublicAddress");
    if (!options.public_address.empty()) {
        const auto address = hc::parse_relay_address(options.public_address);
        if (!address) {
            reader.error(
                *reader.find("Relay:PublicAddress"), address.error().message(),
                "write host or host:port, with https:// in front if a proxy terminates TLS");
        }
    }
    for (const Setting* item : reader.list("Relay:TrustedProxies")) {
        if (const auto added = options.trusted_proxies.add(trim(item->value)); !added) {
            reader.error(*item, added.error().message(), "");
        }
    }
    options.access_rules = read_rules(reader, std::string(kAccessRules));
    add_rule_flags(flags, options, diagnostics);
    read_connections(reader, flags, options);
    read_limits(reader, options);
    // What is missing because of an error would only be noise.
    if (diagnostics.ok()) check_usable(reader, options);
    warn_of_exposure(source, options, diagnostics);
    return options;
}

}  // namespace hpb::config
