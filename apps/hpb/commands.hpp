// What the subcommands do. Each runs until it is done or told to stop, and returns the exit code:
// 0, or 1 for a failure at run time. Configuration errors are found before (cli.hpp).
#pragma once

#include <cstdint>
#include <optional>

#include "config/agent_options.hpp"
#include "config/relay_options.hpp"
#include "hc/target_map.hpp"
#include "hpb/bench_options.hpp"

namespace hpb::app {

struct DemoOptions {
    bool once = false;       ///< exit after the check instead of continuing to serve
    std::uint16_t port = 0;  ///< of the local end; 0: any free port
    std::optional<hc::TargetAddress> target;  ///< instead of the bundled web page
};

int run_relay(const config::RelayOptions& options);
int run_service(const config::ServiceOptions& options);
int run_client(const config::ClientOptions& options);
int run_demo(const DemoOptions& options);
/// Throws std::runtime_error where there is nothing to measure.
int run_bench(const BenchOptions& options);

}  // namespace hpb::app
