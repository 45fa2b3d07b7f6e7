#include "hpb/cli.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <regex>

#include "base/text.hpp"
#include "hpb/arguments.hpp"
#include "hpb/cli_bench.hpp"
#include "hpb/hints.hpp"

namespace hpb::app {
namespace {

constexpr std::string_view kSection = "PortBridge:ServiceNamespace:";

/// Collects the values of flags; the ones that stand for keys become settings of the highest layer.
class Builder {
public:
    explicit Builder(CommandLine& line) : line_(line) {}

    /// A flag for one key; remembered only if it is given.
    void key(CLI::App& command, const std::string& flag, std::string path, const std::string& name,
             const std::string& help) {
        command
            .add_option_function<std::string>(
                flag,
                [this, flag, path = std::move(path)](const std::string& value) {
                    line_.flags.push_back({path, value, flag.substr(0, flag.find(','))});
                },
                help)
            ->type_name(name);
    }
    /// A flag without a value that sets a key to true.
    void sets(CLI::App& command, const std::string& flag, std::string path,
              const std::string& help) {
        command.add_flag_function(
            flag,
            [this, flag, path = std::move(path)](std::int64_t) {
                line_.flags.push_back({path, "true", flag});
            },
            help);
    }
    void text(CLI::App& command, const std::string& flag, std::string& value,
              const std::string& name, const std::string& help) {
        command.add_option(flag, value, help)->type_name(name);
    }
    void texts(CLI::App& command, const std::string& flag, std::vector<std::string>& values,
               const std::string& name, const std::string& help) {
        command.add_option(flag, values, help)->type_name(name)->allow_extra_args(false);
    }

    void common(CLI::App& command) {
        command
            .add_option_function<std::string>(
                "--config", [this](const std::string& file) { line_.config_file = file; },
                "read FILE instead of appsettings.json in the program's folder")
            ->type_name("FILE");
        text(command, "--log-level", line_.log.level, "LEVEL",
             "trace, debug, info, warn, error or off");
        text(command, "--log-format", line_.log.format, "FORMAT", "text or json");
    }
    void relay_access(CLI::App& command) {
        key(command, "--relay", std::string(kSection) + "ServiceNamespace", "ADDRESS",
            "the relay: a host name, host:port or sb://host:port/");
        key(command, "--rule", std::string(kSection) + "AccessRuleName", "NAME",
            "name of the access rule");
        key(command, "--rule-key-file", std::string(kSection) + "AccessRuleKeyFile", "FILE",
            "file that holds the rule's key");
        key(command, "-x,--connection-string", std::string(kSection) + "ConnectionString", "STRING",
            "an Azure Relay connection string instead of the three above; other users can see a "
            "command line, so prefer HPB_CONNECTION_STRING");
    }
    void relay_path(CLI::App& command) {
        key(command, "--ca", std::string(kSection) + "CaFile", "FILE",
            "certificates (PEM) to trust instead of the system's");
        key(command, "--proxy", std::string(kSection) + "Proxy", "URL",
            "HTTP proxy, http://[user:password@]host:port, or none");
    }
    void protocol(CLI::App& command) {
        key(command, "--protocol", "PortBridge:Protocol", "auto|v1|v2",
            "protocol between the agents: v2 if both support it (auto, default), or only v1 or v2");
    }

private:
    CommandLine& line_;
};

void add_relay(CLI::App& app, CommandLine& line, Builder& build) {
    CLI::App& command = *app.add_subcommand("relay", "run the relay that both agents dial");
    build.texts(command, "--listen", line.relay.listen, "ADDRESS:PORT",
                "listen here; may be repeated, port 0 is any free port");
    build.key(command, "--cert", "Relay:Tls:CertificateFile", "FILE", "certificate chain (PEM)");
    build.key(command, "--key", "Relay:Tls:KeyFile", "FILE", "the certificate's private key (PEM)");
    build.sets(command, "--insecure", "Relay:Insecure",
               "plain ws:// without TLS: anybody on the path can read and change everything");
    build.text(command, "--rule", line.relay.rule, "NAME", "an access rule with all rights");
    build.text(command, "--rule-key-file", line.relay.rule_key_file, "FILE",
               "file that holds the rule's key");
    build.texts(command, "--connection", line.relay.connections, "NAME",
                "serve this hybrid connection; may be repeated");
    build.common(command);
    command.footer(
        "Example:\n  hpb relay --listen 0.0.0.0:8443 --cert relay.crt --key relay.key \\\n"
        "            --rule root --rule-key-file root.key --connection simple");
}

void add_service(CLI::App& app, CommandLine& line, Builder& build) {
    CLI::App& command =
        *app.add_subcommand("service", "run the service agent: connects to targets near it");
    build.relay_access(command);
    build.relay_path(command);
    build.protocol(command);
    build.texts(
        command, "-T,--target", line.service.targets, "NAME[:KEY]/HOST:PORT",
        "serve the hybrid connection NAME; connections with KEY (default 0) go to HOST:PORT; "
        "may be repeated");
    build.common(command);
    command.footer(
        "Example:\n  hpb service --relay sb://relay.example.com:8443/ --rule root --rule-key-file "
        "root.key \\\n              -T simple/localhost:5432");
}

void add_client(CLI::App& app, CommandLine& line, Builder& build) {
    CLI::App& command =
        *app.add_subcommand("client", "run the client agent: listens on local ports");
    build.relay_access(command);
    build.relay_path(command);
    build.protocol(command);
    build.sets(command, "--no-auth", std::string(kSection) + "NoAuthentication",
               "dial without an access rule: for hybrid connections that require no client "
               "authorization");
    build.texts(command, "-L,--local", line.client.mappings, "[BIND:]PORT[/KEY]:NAME",
                "listen on PORT (of BIND, default 127.0.0.1) and forward connections to the hybrid "
                "connection NAME with KEY (default 0); may be repeated");
    command.add_option("--channels", line.client.channels, "channels for each -L")
        ->type_name("N")
        ->check(CLI::Range(1, 64));
    command
        .add_option_function<long>(
            "--ttl",
            [&line](long seconds) { line.client.channel_ttl = std::chrono::seconds(seconds); },
            "seconds after which a channel of -L is replaced, default 300")
        ->type_name("SECONDS")
        ->check(CLI::Range(0L, 31'536'000L));
    build.common(command);
    command.footer(
        "Example:\n  hpb client --relay sb://relay.example.com:8443/ --rule root --rule-key-file "
        "root.key \\\n             -L 15432:simple");
}

void add_demo(CLI::App& app, CommandLine& line, Builder& build) {
    CLI::App& command = *app.add_subcommand(
        "demo", "run relay and both agents in one process, move data through them and measure");
    command.add_flag("--once", line.demo.once,
                     "exit after the check instead of continuing to serve");
    command.add_option("--port", line.demo.port, "local port, default any free port")
        ->type_name("PORT")
        ->check(CLI::Range(0, 65535));
    command
        .add_option_function<std::string>(
            "--target",
            [&line](const std::string& text) {
                auto target = hc::parse_target(text, "");
                if (!target) throw CLI::ValidationError("--target", target.error().message());
                line.demo.target = std::move(*target);
            },
            "bridge to this instead of the bundled web page")
        ->type_name("HOST:PORT");
    build.text(command, "--log-level", line.log.level, "LEVEL",
               "trace, debug, info, warn (default), error or off");
    build.text(command, "--log-format", line.log.format, "FORMAT", "text or json");
}

void add_check(CLI::App& app, CommandLine& line, Builder& build) {
    CLI::App& command = *app.add_subcommand(
        "check", "report every error in a configuration, then what it would run");
    command
        .add_option("role", line.check_role,
                    "relay, service or client; default: each one that the configuration has")
        ->type_name("ROLE")
        ->check(CLI::IsMember({"relay", "service", "client"}));
    build.common(command);
    command.footer("Exit code: 0 if it can run, 2 if not.");
}

void add_token(CLI::App& app, CommandLine& line, Builder& build) {
    CLI::App& command = *app.add_subcommand("token", "print a SAS token");
    build.relay_access(command);
    build.text(command, "--connection", line.token_entity, "NAME",
               "valid for this hybrid connection only; default: for the whole namespace");
    command
        .add_option_function<long>(
            "--ttl", [&line](long seconds) { line.token_ttl = std::chrono::seconds(seconds); },
            "seconds until it expires, default 3600")
        ->type_name("SECONDS")
        ->check(CLI::Range(1L, 3'153'600'000L));
    build.common(command);
    command.footer(
        "Example:\n  hpb token --relay relay.example.com --rule root --rule-key-file root.key "
        "--connection simple");
}

ParseOutcome usage_error(std::string line) {
    ParseOutcome outcome;
    outcome.exit_code = kExitUsage;
    outcome.error = std::move(line);
    return outcome;
}

/// For arguments that the command does not know.
ParseOutcome unexpected(const std::string& argument, const CLI::App& command) {
    const std::string help = command.get_parent() == nullptr
                                 ? "see 'hpb --help'"
                                 : fmt::format("see 'hpb {} --help'", command.get_name());
    const bool is_option = argument.starts_with('-');
    if (!is_option && argument.find("SharedAccess") != std::string::npos) {
        return usage_error(
            "unexpected connection string; put -x before it, or set HPB_CONNECTION_STRING");
    }
    if (!is_option) {
        return usage_error(
            fmt::format("unexpected argument '{}'; {}", printable(argument, 80), help));
    }
    const std::string word = argument.substr(0, argument.find('='));
    const std::string hint = option_hint(word, command);
    return usage_error(
        fmt::format("unknown option {}{}", printable(word, 80), hint.empty() ? "; " + help : hint));
}

/// The library's sentences, in this program's words.
std::string in_plain_words(std::string what) {
    std::replace(what.begin(), what.end(), '\n', ' ');
    static const std::regex range("(.*): Value (.*) not in range (\\S+) to (\\S+)");
    static const std::regex conversion("Could not convert: (\\S+) = (.*)");
    static const std::regex repeated("(.*): At Most 1 required but received (\\d+)");
    static const std::regex missing("(.*): 1 required (\\S+) missing");
    std::smatch match;
    if (std::regex_match(what, match, range))
        return fmt::format("{}: '{}' is not a number from {} to {}", match[1].str(),
                           printable(match[2].str(), 80), match[3].str(), match[4].str());
    if (std::regex_match(what, match, conversion))
        return fmt::format("{}: '{}' is not a valid value", match[1].str(),
                           printable(match[2].str(), 80));
    if (std::regex_match(what, match, repeated))
        return fmt::format("{} was given {} times; give it once", match[1].str(), match[2].str());
    if (std::regex_match(what, match, missing))
        return fmt::format("{} needs a value: {}", match[1].str(), match[2].str());
    return what;
}

void collect_flags(const CLI::App& command, FlagNames& names) {
    for (const CLI::Option* option : command.get_options()) {
        for (const auto* list : {&option->get_lnames(), &option->get_snames()}) {
            names.all.insert(names.all.end(), list->begin(), list->end());
            if (option->get_items_expected_min() == 0) continue;
            names.with_value.insert(names.with_value.end(), list->begin(), list->end());
        }
    }
    for (const CLI::App* inner : command.get_subcommands({})) collect_flags(*inner, names);
}

/// Takes out of `arguments` what is a setting, ours or another program's.
void take_settings(const CLI::App& app, std::vector<std::string>& arguments, CommandLine& line) {
    FlagNames names;
    collect_flags(app, names);
    SortedArguments sorted = sort_arguments(arguments, names);
    arguments = std::move(sorted.flags);
    line.settings = std::move(sorted.settings);
    line.other_keys = std::move(sorted.others);
}

const std::map<std::string, Command>& commands() {
    static const std::map<std::string, Command> map = {
        {"relay", Command::relay}, {"service", Command::service}, {"client", Command::client},
        {"demo", Command::demo},   {"check", Command::check},     {"token", Command::token},
        {"bench", Command::bench},
    };
    return map;
}

}  // namespace

ParseOutcome parse_command_line(const std::vector<std::string>& arguments) {
    CommandLine line;
    Builder build(line);
    CLI::App app("Hybrid Port Bridge: makes a TCP port in one network reachable from another",
                 "hpb");
    app.set_version_flag("--version", "hpb " HPB_VERSION);
    app.require_subcommand(1);
    add_relay(app, line, build);
    add_service(app, line, build);
    add_client(app, line, build);
    add_demo(app, line, build);
    add_check(app, line, build);
    add_token(app, line, build);
    add_bench(app, line.bench);
    app.footer("'hpb COMMAND --help' shows a command's options. Try 'hpb demo' first.");
    for (CLI::App* command : app.get_subcommands({})) command->allow_extras();

    if (arguments.empty()) return usage_error("no command given; see 'hpb --help'");
    const std::string& first = arguments.front();
    if (!first.starts_with('-') && !commands().contains(first)) {
        std::vector<std::string> names;
        for (const auto& [name, command] : commands()) names.push_back(name);
        const std::string hint = did_you_mean(first, names);
        return usage_error(fmt::format("unknown command '{}'{}", printable(first, 80),
                                       hint.empty() ? "; see 'hpb --help'" : hint));
    }
    std::vector<std::string> rest = arguments;
    // The other two read no configuration.
    if (first != "demo" && first != "bench") take_settings(app, rest, line);
    std::reverse(rest.begin(), rest.end());  // as CLI11 wants them
    ParseOutcome outcome;
    try {
        app.parse(rest);
    } catch (const CLI::Success& done) {  // --help and --version
        std::ostringstream out;
        std::ostringstream err;
        outcome.exit_code = app.exit(done, out, err);
        outcome.output = out.str();
        return outcome;
    } catch (const CLI::RequiredError& error) {  // of a command, or of what bench needs
        if (!commands().contains(first)) return unexpected(first, app);
        return usage_error(fmt::format("{}: {}; see 'hpb {} --help'", first, error.what(), first));
    } catch (const CLI::ExtrasError&) {
        return unexpected(first, app);
    } catch (const CLI::ParseError& error) {
        return usage_error(in_plain_words(error.what()));
    }
    const CLI::App& command = *app.get_subcommands().front();
    for (const CLI::App* work_load : command.get_subcommands()) {
        if (const auto extras = work_load->remaining(); !extras.empty()) {
            return unexpected(extras.front(), *work_load);
        }
    }
    if (const auto extras = command.remaining(); !extras.empty()) {
        return unexpected(extras.front(), command);
    }
    line.command = commands().at(command.get_name());
    outcome.command_line = std::move(line);
    return outcome;
}

config::SourceInputs make_inputs(const CommandLine& line, config::SourceInputs process) {
    process.config_file = line.config_file;
    process.arguments = line.settings;
    process.other_keys = line.other_keys;
    process.flags = line.flags;
    return process;
}

}  // namespace hpb::app
