#include <fmt/format.h>

#include <cstdio>

#include "bench/far_end.hpp"
#include "bench/measure.hpp"
#include "hpb/commands.hpp"

namespace hpb::app {
namespace {

constexpr double kMiB = 1024.0 * 1024.0;
constexpr double kNoLimit = 1e9;  // seconds

bench::Plan plan_of(const BenchOptions& options) {
    bench::Plan plan;
    for (const auto& address : options.addresses) plan.to.push_back({address.host, address.port});
    if (options.seconds || options.count)
        plan.seconds = std::chrono::duration<double>(options.seconds.value_or(kNoLimit));
    plan.warm_up = std::chrono::duration<double>(options.warm_up);
    return plan;
}

const char* name_of(bench::Direction direction) {
    if (direction == bench::Direction::both) return "both";
    return direction == bench::Direction::up ? "up" : "down";
}

// Whoever reads this through a pipe gets each line at once.
void say(const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

[[noreturn]] void serve(const bench::Plan& plan) {
    bench::serve_far_end(plan.to, [](const bench::Address& at) {
        const bool v6 = at.host.find(':') != std::string::npos;
        say(fmt::format("listening on {}:{}", v6 ? "[" + at.host + "]" : at.host, at.port));
    });
}

void run_throughput(const bench::Plan& plan, const BenchOptions& options) {
    const auto result = bench::measure_throughput(plan, options.streams, options.direction);
    const double rate = static_cast<double>(result.bytes) / result.seconds;
    if (options.json) {
        return say(fmt::format(
            R"({{"work_load":"throughput","streams":{},"direction":"{}","seconds":{:.3f},"bytes":{},)"
            R"("bytes_per_second":{:.0f}}})",
            options.streams, name_of(options.direction), result.seconds, result.bytes, rate));
    }
    say(fmt::format("{} streams, {}: {:.1f} MiB/s ({:.1f} MiB in {:.2f} s)", options.streams,
                    name_of(options.direction), rate / kMiB,
                    static_cast<double>(result.bytes) / kMiB, result.seconds));
}

std::string json_histogram(bench::Samples& samples) {
    std::string text;
    for (const auto& [bound, count] : samples.histogram()) {
        text += fmt::format("{}[{:.1f},{}]", text.empty() ? "" : ",", bound, count);
    }
    return text;
}

void run_latency(const bench::Plan& plan, const BenchOptions& options) {
    auto result = bench::measure_latency(plan, options.bulk, options.direction);
    auto& times = result.round_trips;
    const double p50 = times.quantile(0.5);
    const double p99 = times.quantile(0.99);
    const double p999 = times.quantile(0.999);
    if (options.json) {
        return say(fmt::format(
            R"({{"work_load":"latency","round_trips":{},"p50_us":{:.1f},"p99_us":{:.1f},"p999_us":{:.1f},)"
            R"("max_us":{:.1f},"bulk_bytes_per_second":{:.0f},"histogram":[{}]}})",
            times.count(), p50, p99, p999, times.quantile(1), result.bulk_bytes_per_second,
            json_histogram(times)));
    }
    say(fmt::format("{} round trips: p50 {:.1f}, p99 {:.1f}, p99.9 {:.1f}, longest {:.1f} µs",
                    times.count(), p50, p99, p999, times.quantile(1)));
    if (options.bulk > 0) {
        say(fmt::format("beside {} streams, {}: {:.1f} MiB/s", options.bulk,
                        name_of(options.direction), result.bulk_bytes_per_second / kMiB));
    }
}

int run_rate(const bench::Plan& plan, const BenchOptions& options) {
    auto result = bench::measure_rate(plan, options.in_flight, options.count);
    const double rate = static_cast<double>(result.connections) / result.seconds;
    const double p50 = result.times.quantile(0.5);
    const double p99 = result.times.quantile(0.99);
    if (options.json) {
        say(fmt::format(
            R"({{"work_load":"rate","in_flight":{},"connections":{},"failed":{},"seconds":{:.3f},)"
            R"("per_second":{:.1f},"p50_us":{:.1f},"p99_us":{:.1f}}})",
            options.in_flight, result.connections, result.failed, result.seconds, rate, p50, p99));
    } else {
        say(fmt::format(
            "{:.0f} connections/s ({} in {:.2f} s, {} at a time, {} failed); each p50 "
            "{:.0f}, p99 {:.0f} µs",
            rate, result.connections, result.seconds, options.in_flight, result.failed, p50, p99));
    }
    return result.failed == 0 ? 0 : 1;
}

int run_idle(const bench::Plan& plan, const BenchOptions& options) {
    std::size_t open = 0;
    const std::size_t alive =
        bench::hold_idle(plan, *options.count, [&](std::size_t opened, std::size_t failed) {
            open = opened;
            say(options.json
                    ? fmt::format(R"({{"work_load":"idle","open":{},"failed":{}}})", opened, failed)
                    : fmt::format("{} open, {} failed; close standard input to release them",
                                  opened, failed));
            while (std::getchar() != EOF) {
            }
        });
    say(options.json ? fmt::format(R"({{"still_open":{}}})", alive)
                     : fmt::format("{} of them were still open", alive));
    return open == *options.count && alive == open ? 0 : 1;
}

}  // namespace

int run_bench(const BenchOptions& options) {
    const bench::Plan plan = plan_of(options);
    switch (options.load) {
        case BenchOptions::Load::serve:
            serve(plan);
        case BenchOptions::Load::throughput:
            run_throughput(plan, options);
            return 0;
        case BenchOptions::Load::latency:
            run_latency(plan, options);
            return 0;
        case BenchOptions::Load::rate:
            return run_rate(plan, options);
        case BenchOptions::Load::idle:
            return run_idle(plan, options);
    }
    return 1;
}

}  // namespace hpb::app
