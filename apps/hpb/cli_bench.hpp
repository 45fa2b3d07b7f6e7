#pragma once

#include "hpb/bench_options.hpp"

namespace CLI {
class App;
}

namespace hpb::app {

/// Adds `bench` with its subcommands, which fill `options`.
void add_bench(CLI::App& app, BenchOptions& options);

}  // namespace hpb::app
