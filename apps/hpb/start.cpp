#include "hpb/start.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <ctime>

#include "config/known_keys.hpp"
#include "config/log_config.hpp"
#include "crypto/crypto.hpp"
#include "hpb/process.hpp"
#include "ops/log.hpp"

namespace hpb::app {
namespace {

void print_problems(const config::Diagnostics& diagnostics) {
    for (const auto& error : diagnostics.errors) {
        print_error(error.to_string());
    }
    for (const auto& warning : diagnostics.warnings) {
        print_warning(warning.to_string());
    }
}

/// Starts the log, and tells it what was found in the configuration.
void start_log(const ops::LogOptions& options, const config::LayeredSource& source,
               const config::Diagnostics& diagnostics) {
    ops::init_log(options);
    for (const auto& warning : diagnostics.warnings) {
        ops::log_warn("config", "{}", warning.to_string());
    }
    if (const std::string rest = config::not_carried_over(source); !rest.empty()) {
        ops::log_warn("config", "{}", rest);
    }
}

int run_check(const CommandLine& line, const config::SourceInputs& inputs) {
    const CheckReport report = check(line, inputs);
    print_problems(report.problems);
    fmt::print("{}", report.output);
    return report.problems.ok() ? 0 : kExitUsage;
}

int run_token(const CommandLine& line, const config::SourceInputs& inputs) {
    config::Diagnostics diagnostics;
    const std::string token = make_token(line, inputs, std::time(nullptr), diagnostics);
    print_problems(diagnostics);
    if (token.empty()) return kExitUsage;
    fmt::print("{}\n", token);
    return 0;
}

/// Reads `Options` by `read`, and runs them by `run` if there is nothing wrong.
template <class Read, class Run>
int run_configured(const CommandLine& line, const config::SourceInputs& inputs, Read read,
                   Run run) {
    config::Diagnostics diagnostics;
    const auto source = config::load_layers(inputs, diagnostics);
    // What a broken file does not say is not missing: its own error is enough.
    if (!diagnostics.ok()) {
        print_problems(diagnostics);
        return kExitUsage;
    }
    config::check_known_keys(source, diagnostics);
    const auto log_options = config::read_log_options(source, line.log, diagnostics);
    const auto options = read(source, diagnostics);
    if (!diagnostics.ok()) {
        print_problems(diagnostics);
        return kExitUsage;
    }
    start_log(log_options, source, diagnostics);
    return run(options);
}

int run_demo_command(const CommandLine& line) {
    config::Diagnostics diagnostics;
    // The demo has its own configuration; files and variables of a real one would only be in its
    // way.
    config::LogFlags flags = line.log;
    if (flags.level.empty()) flags.level = "warn";
    const auto log_options = config::read_log_options({}, flags, diagnostics);
    if (!diagnostics.ok()) {
        print_problems(diagnostics);
        return kExitUsage;
    }
    ops::init_log(log_options);
    return run_demo(line.demo);
}

int dispatch(const CommandLine& line, const config::SourceInputs& inputs) {
    using config::Diagnostics;
    using config::LayeredSource;
    switch (line.command) {
        case Command::check:
            return run_check(line, inputs);
        case Command::token:
            return run_token(line, inputs);
        case Command::demo:
            return run_demo_command(line);
        case Command::bench:
            return run_bench(line.bench);
        case Command::relay:
            return run_configured(
                line, inputs,
                [&](const LayeredSource& source, Diagnostics& diagnostics) {
                    return config::read_relay_options(source, line.relay, diagnostics);
                },
                run_relay);
        case Command::service:
            return run_configured(
                line, inputs,
                [&](const LayeredSource& source, Diagnostics& diagnostics) {
                    return config::read_service_options(source, inputs, line.service, diagnostics);
                },
                run_service);
        case Command::client:
            return run_configured(
                line, inputs,
                [&](const LayeredSource& source, Diagnostics& diagnostics) {
                    return config::read_client_options(source, inputs, line.client, diagnostics);
                },
                run_client);
    }
    return kExitUsage;
}

}  // namespace

int start(const CommandLine& line, const config::SourceInputs& inputs) {
    if (const auto usable = crypto::check_library(); !usable) {
        fmt::print(stderr, "hpb: error: {}\n", usable.error().message());
        return kExitFailure;
    }
    const int exit_code = dispatch(line, inputs);
    ops::shut_down_log();
    return exit_code;
}

}  // namespace hpb::app
