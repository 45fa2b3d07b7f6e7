#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>
#include <exception>
#include <string>
#include <system_error>
#include <vector>

#include "hpb/cli.hpp"
#include "hpb/hardening.hpp"
#include "hpb/process.hpp"
#include "hpb/start.hpp"
#include "ops/log.hpp"

namespace {

// Each connection takes a descriptor or two, and the usual soft limit of 1024 is far below what the
// options allow.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Also where the rest of the command line is wrong.
bool wants_json(const std::vector<std::string>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "--log-format=json") return true;
        if (arguments[i] == "--log-format" && i + 1 < arguments.size())
            return arguments[i + 1] == "json";
    }
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    hpb::app::prepare_process();
    hpb::app::harden();
    raise_descriptor_limit();
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    if (wants_json(arguments)) hpb::app::set_error_format(hpb::ops::LogFormat::json);
    try {
        const auto parsed = hpb::app::parse_command_line(arguments);
        fmt::print("{}", parsed.output);
        if (!parsed.error.empty()) hpb::app::print_error(parsed.error);
        if (!parsed.command_line) return parsed.exit_code;
        const auto inputs =
            hpb::app::make_inputs(*parsed.command_line, hpb::config::SourceInputs::of_process());
        return hpb::app::start(*parsed.command_line, inputs);
    } catch (const std::system_error& error) {
        hpb::ops::shut_down_log();
        // The only thing that the system may refuse by an exception.
        const bool threads = error.code() == std::errc::resource_unavailable_try_again;
        hpb::app::print_error(
            fmt::format("{}{}{}", threads ? "cannot start a thread: " : "", error.code().message(),
                        threads ? "; raise the limit of processes (TasksMax, ulimit -u)" : ""));
        return hpb::app::kExitFailure;
    } catch (const std::exception& error) {
        hpb::ops::shut_down_log();
        hpb::app::print_error(error.what());
        return hpb::app::kExitFailure;
    }
}
