#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "config/agent_config.hpp"
#include "config/log_config.hpp"
#include "config/relay_config.hpp"
#include "hpb/commands.hpp"

namespace hpb::app {

inline constexpr int kExitFailure = 1;  ///< something failed at run time
inline constexpr int kExitUsage = 2;    ///< command line or configuration

enum class Command { relay, service, client, demo, check, token, bench };

/// The command line, taken apart and not yet checked against a configuration.
struct CommandLine {
    Command command = Command::check;
    std::optional<std::filesystem::path> config_file;
    std::vector<std::string> settings;       ///< --Section:Key=value and the like
    std::vector<std::string> other_keys;     ///< other programs' keys, without values
    std::vector<config::FlagSetting> flags;  ///< flags that stand for a key
    config::RelayFlags relay;
    config::ServiceFlags service;
    config::ClientFlags client;
    config::LogFlags log;
    DemoOptions demo;
    BenchOptions bench;
    std::string check_role;    ///< check: "", relay, service or client
    std::string token_entity;  ///< token: "" is the whole namespace
    std::chrono::seconds token_ttl{3600};
};

/// Either a command line, or what to print and the code to exit with.
struct ParseOutcome {
    std::optional<CommandLine> command_line;
    int exit_code = 0;
    std::string output;  ///< help and version, for standard output
    std::string error;   ///< one line, for standard error
};

/// @param arguments  without the program's name.
[[nodiscard]] ParseOutcome parse_command_line(const std::vector<std::string>& arguments);

/// The inputs of the configuration's layers for this command line.
[[nodiscard]] config::SourceInputs make_inputs(const CommandLine& line,
                                               config::SourceInputs process);

}  // namespace hpb::app
