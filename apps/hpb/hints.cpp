#include "hpb/hints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/text.hpp"

namespace hpb::app {
namespace {

struct Hint {
    std::string_view option;
    std::string_view commands;  ///< a list with spaces at both ends; "": all
    std::string_view text;
};

/// What people bring along from ssh, azbridge, curl and others.
constexpr Hint kHints[] = {
    {"-T", " client ",
     ": the target is named by the service agent, with 'hpb service -T'; 'hpb client' listens, "
     "with "
     "-L [bind:]port:name"},
    {"--target", " client ",
     ": the target is named by the service agent, with 'hpb service -T'; 'hpb client' listens, "
     "with "
     "-L [bind:]port:name"},
    {"-L", " service ",
     ": the client agent listens, with 'hpb client -L'; 'hpb service' connects to targets, with "
     "-T name/host:port"},
    {"-L", " relay ",
     ": the relay listens with --listen address:port; -L is an option of 'hpb client'"},
    {"-R", "",
     ": there is no remote forwarding in one command; run 'hpb client -L port:name' where the port "
     "should be, and 'hpb service -T name/host:port' beside the target"},
    {"-D", "", ": there is no SOCKS proxy here; name each target with 'hpb service -T'"},
    {"-V", "", "; did you mean --version?"},
    {"-v", "", "; did you mean --version? A more detailed log: --log-level debug"},
    {"--verbose", "", "; a more detailed log: --log-level debug"},
    {"--debug", "", "; a more detailed log: --log-level debug"},
    {"-c", "", "; did you mean --config?"},
    {"-f", "", "; did you mean --config?"},
    {"-p", " client ", "; the local port is part of -L [bind:]port:name"},
    {"--port", " client ", "; the local port is part of -L [bind:]port:name"},
    {"-p", " service ", "; the target's port is part of -T name/host:port"},
    {"--port", " service ", "; the target's port is part of -T name/host:port"},
    {"-p", " relay ", "; the port is part of --listen address:port"},
    {"--port", " relay ", "; the port is part of --listen address:port"},
    {"-k", " client service ", "; a relay's own certificate is trusted by --ca FILE"},
    {"--insecure", " client service ",
     ": an agent always checks the relay's certificate; trust one with --ca FILE, or write ws:// "
     "before the address of a relay without TLS"},
    {"--cert", " client service ",
     ": the certificate to trust is named by --ca; --cert is an option of 'hpb relay'"},
    {"--key", " client service ",
     ": the rule's key is read from --rule-key-file; --key is an option of 'hpb relay'"},
    {"--connection", " client ", "; the hybrid connection is part of -L [bind:]port:name"},
    {"--connection", " service ", "; the hybrid connection is part of -T name/host:port"},
};

std::vector<std::string> option_names(const CLI::App& command) {
    std::vector<std::string> names;
    for (const CLI::Option* option : command.get_options()) {
        for (const auto& name : option->get_lnames()) names.push_back("--" + name);
        for (const auto& name : option->get_snames()) names.push_back("-" + name);
    }
    return names;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// The option that differs from `option` by its case or by a typing error.
std::string near_option(const std::string& option, const std::vector<std::string>& names) {
    for (const auto& name : names) {
        if (iequals(name, option)) return name;
    }
    if (option.size() <= 2) return "";
    std::vector<std::string_view> long_names;
    for (const auto& name : names) {
        if (!name.starts_with("--")) continue;
        // Half of --port is --cert: short words have to begin alike.
        const bool begins_alike = option.size() > 3 && name[2] == option[2];
        if (option.size() > 7 || begins_alike) long_names.push_back(name);
    }
    return std::string(nearest(option, long_names));
}

/// The commands that have exactly this option.
std::vector<std::string> commands_with(const std::string& option, const CLI::App& program) {
    std::vector<std::string> found;
    for (const CLI::App* each : program.get_subcommands([](const CLI::App*) { return true; })) {
        if (has(option_names(*each), option)) found.push_back("'hpb " + each->get_name() + "'");
    }
    return found;
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
    const std::vector<std::string_view> views(names.begin(), names.end());
    const std::string_view near = nearest(word, views);
    return near.empty() ? std::string() : fmt::format("; did you mean {}?", near);
}

std::string option_hint(const std::string& option, const CLI::App& command) {
    const std::string here = " " + command.get_name() + " ";
    for (const auto& hint : kHints) {
        if (hint.option == option &&
            (hint.commands.empty() || hint.commands.find(here) != std::string_view::npos)) {
            return std::string(hint.text);
        }
    }
    const CLI::App* const program = command.get_parent();
    if (program != nullptr) {
        const auto others = commands_with(option, *program);
        if (!others.empty()) return fmt::format(": it is an option of {}", fmt::join(others, ", "));
    }
    const std::string near = near_option(option, option_names(command));
    return near.empty() ? "" : fmt::format("; did you mean {}?", near);
}

}  // namespace hpb::app
