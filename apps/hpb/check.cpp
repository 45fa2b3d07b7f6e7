#include <algorithm>
#include <vector>

#include "config/known_keys.hpp"
#include "config/log_config.hpp"
#include "hpb/describe.hpp"
#include "hpb/start.hpp"
#include "hpb/tls_files.hpp"

namespace hpb::app {
namespace {

struct Roles {
    bool relay = false;
    bool service = false;
    bool client = false;
};

/// The roles that were asked for, or else the ones whose sections are there.
Roles find_roles(const CommandLine& line, const config::LayeredSource& source) {
    if (line.check_role == "relay") return {.relay = true};
    if (line.check_role == "service") return {.service = true};
    if (line.check_role == "client") return {.client = true};
    return {.relay = source.has("Relay"),
            .service = source.has("PortBridge:EntityPaths") || source.has("PortBridge:Targets"),
            .client = source.has("PortBridge:PortMappings")};
}

/// What the start would say of the files that TLS needs. Options that are wrong have been reported.
template <class Options>
void check_files(const Options& options, config::Diagnostics& problems) {
    if (!problems.ok()) return;
    const auto tls = load_tls(options);
    if (!tls) problems.errors.push_back({"", "", tls.error().message(), ""});
}

}  // namespace

CheckReport check(const CommandLine& line, const config::SourceInputs& inputs) {
    CheckReport report;
    const auto source = config::load_layers(inputs, report.problems);
    if (!report.problems.ok())
        return report;  // a file that can't be read says nothing about the rest
    config::check_known_keys(source, report.problems);
    (void)config::read_log_options(source, line.log, report.problems);
    const Roles roles = find_roles(line, source);
    if (roles.relay) {
        const auto options = config::read_relay_options(source, line.relay, report.problems);
        check_files(options, report.problems);
        report.output += describe(options);
    }
    if (roles.service) {
        const auto options =
            config::read_service_options(source, inputs, line.service, report.problems);
        check_files(options.relay, report.problems);
        report.output += describe(options);
    }
    if (roles.client) {
        const auto options =
            config::read_client_options(source, inputs, line.client, report.problems);
        check_files(options.relay, report.problems);
        report.output += describe(options);
    }
    if (!roles.relay && !roles.service && !roles.client) {
        const std::string where =
            inputs.config_file ? inputs.config_file->string() : "configuration";
        report.problems.errors.push_back(
            {where, "", "there is nothing to run",
             "add Relay, PortBridge:EntityPaths or PortBridge:PortMappings"});
    }
    if (const std::string line_of_rest = config::not_carried_over(source); !line_of_rest.empty()) {
        report.output += line_of_rest + "\n";
    }
    if (!report.problems.ok()) report.output.clear();
    // Sections that two roles share are read twice; each finding is told once.
    for (auto* list : {&report.problems.errors, &report.problems.warnings}) {
        std::vector<config::Problem> once;
        for (auto& problem : *list) {
            const auto same = [&](const config::Problem& other) {
                return other.to_string() == problem.to_string();
            };
            if (std::none_of(once.begin(), once.end(), same)) once.push_back(std::move(problem));
        }
        *list = std::move(once);
    }
    return report;
}

}  // namespace hpb::app
