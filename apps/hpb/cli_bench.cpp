#include "hpb/cli_bench.hpp"

#include <CLI/CLI.hpp>
#include <map>

#include "config/relay_config.hpp"

namespace hpb::app {
namespace {

using Load = BenchOptions::Load;

constexpr double kLongest = 86'400;
constexpr std::size_t kMostStreams = 10'000;
constexpr std::size_t kMostConnections = 10'000'000;

CLI::App& add_load(CLI::App& bench, BenchOptions& options, Load load, const std::string& name,
                   const std::string& help) {
    CLI::App& command = *bench.add_subcommand(name, help);
    command.callback([&options, load] { options.load = load; });
    command.allow_extras();
    return command;
}

void add_addresses(CLI::App& command, BenchOptions& options) {
    command
        .add_option_function<std::vector<std::string>>(
            "address",
            [&options](const std::vector<std::string>& texts) {
                for (const std::string& text : texts) {
                    auto address = hc::parse_target(text, "");
                    if (!address) throw CLI::ValidationError("address", address.error().message());
                    options.addresses.push_back(std::move(*address));
                }
            },
            "the near end of the path; several are used in turn")
        ->type_name("HOST:PORT")
        ->required();
}

void add_listen(CLI::App& command, BenchOptions& options) {
    command
        .add_option_function<std::vector<std::string>>(
            "--listen",
            [&options](const std::vector<std::string>& texts) {
                for (const std::string& text : texts) {
                    auto address = config::parse_listen_address(text);
                    if (!address) throw CLI::ValidationError("--listen", address.error().message());
                    options.addresses.push_back({address->host, address->port});
                }
            },
            "listen here; may be repeated, port 0 is any free port")
        ->type_name("ADDRESS:PORT")
        ->required();
}

void add_time(CLI::App& command, BenchOptions& options, bool warms_up) {
    command.add_option("--seconds", options.seconds, "how long to measure, default 3")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.1, kLongest));
    if (!warms_up) return;
    command.add_option("--warm-up", options.warm_up, "seconds to warm up before that, default 1")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.0, kLongest));
}

void add_direction(CLI::App& command, BenchOptions& options) {
    static const std::map<std::string, bench::Direction> directions = {
        {"up", bench::Direction::up},
        {"down", bench::Direction::down},
        {"both", bench::Direction::both}};
    command
        .add_option_function<std::string>(
            "--direction",
            [&options](const std::string& name) { options.direction = directions.at(name); },
            "of bulk traffic, seen from here: up (default), down or both")
        ->type_name("WAY")
        ->check(CLI::IsMember({"up", "down", "both"}));
}

void add_count(CLI::App& command, const std::string& flag, std::size_t& value, std::size_t most,
               const std::string& help) {
    command.add_option(flag, value, help)
        ->type_name("N")
        ->check(CLI::Range(std::size_t{flag == "--bulk" ? 0U : 1U}, most));
}

CLI::Option* add_total(CLI::App& command, BenchOptions& options, const std::string& help) {
    return command
        .add_option_function<std::uint64_t>(
            "--count", [&options](std::uint64_t count) { options.count = count; }, help)
        ->type_name("N")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{kMostConnections}));
}

}  // namespace

void add_bench(CLI::App& app, BenchOptions& options) {
    CLI::App& bench =
        *app.add_subcommand("bench", "measure a path: throughput, latency, connections per second");
    bench.require_subcommand(1);

    CLI::App& serve = add_load(bench, options, Load::serve, "serve",
                               "run the far end of a measurement, the target of the bridge");
    add_listen(serve, options);

    CLI::App& throughput = add_load(bench, options, Load::throughput, "throughput",
                                    "bytes per second of bulk streams");
    CLI::App& latency = add_load(bench, options, Load::latency, "latency",
                                 "round-trip times of one byte, alone or beside bulk streams");
    CLI::App& rate = add_load(bench, options, Load::rate, "rate",
                              "connections per second: open, one byte each way, close");
    CLI::App& idle = add_load(bench, options, Load::idle, "idle",
                              "open connections and hold them until standard input ends");
    for (CLI::App* command : {&throughput, &latency, &rate, &idle}) {
        add_addresses(*command, options);
        command->add_flag("--json", options.json, "print one JSON object per line");
    }
    for (CLI::App* command : {&throughput, &latency}) {
        add_time(*command, options, true);
        add_direction(*command, options);
    }
    add_time(rate, options, false);
    add_count(throughput, "--streams", options.streams, kMostStreams, "bulk streams, default 1");
    add_count(latency, "--bulk", options.bulk, kMostStreams, "bulk streams beside it, default 0");
    add_count(rate, "--in-flight", options.in_flight, kMostStreams,
              "connections at a time, default 64");
    add_total(rate, options, "end after this many connections; without --seconds, only then");
    add_total(idle, options, "connections")->required();
    bench.footer(
        "Example, with a bridge from port 5000 here to port 7000 there:\n"
        "  there:  hpb bench serve --listen 127.0.0.1:7000\n"
        "  here:   hpb bench throughput 127.0.0.1:5000 --streams 8 --direction down");
}

}  // namespace hpb::app
