#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>
#include <csignal>
#include <fstream>
#include <future>
#include <iostream>
#include <sstream>
#include <thread>

#include "faults/controller.hpp"
#include "net/dial/dial.hpp"
#include "net/executor_pool.hpp"

namespace hpb::faults {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitFailure = 1;
constexpr std::size_t kMaxScript = 1024 * 1024;
constexpr unsigned kMaxThreads = 64;

/// Ends the process with a code and one line.
struct Failure {
    int code;
    std::string message;
};

template <class T>
T value_or_fail(Result<T> result, int code, const std::string& context) {
    if (result) return std::move(*result);
    throw Failure{code, context + ": " + result.error().message()};
}

struct Arguments {
    std::vector<std::string> links;
    std::string control;
    std::string script;
    std::uint64_t seed = 1;
    unsigned threads = 0;
};

void declare(CLI::App& app, Arguments& arguments) {
    app.add_option("--link", arguments.links,
                   "NAME=LISTEN:PORT,TARGET:PORT[,delay=100ms][,rate=1gbit][,queue=SIZE]"
                   "[,buffer=SIZE]; a setting for one direction begins with to-target. or "
                   "to-client.; may be repeated")
        ->type_name("LINK")
        ->allow_extra_args(false)
        ->required();
    app.add_option("--control", arguments.control,
                   "take commands on this address, one on a line; whoever reaches it is in command")
        ->type_name("ADDRESS:PORT");
    app.add_option("--script", arguments.script, "carry out this file's faults")->type_name("FILE");
    app.add_option("--seed", arguments.seed, "what the script's random choices begin with (1)")
        ->type_name("N");
    app.add_option("--threads", arguments.threads,
                   "how many threads the links share (one a core, one a link at most)")
        ->type_name("N")
        ->check(CLI::Range(0u, kMaxThreads));
    app.footer(
        "Commands on standard input and the control address, LINK being a name or *:\n"
        "  set LINK SETTING=VALUE…        stall LINK [TIME]      reset LINK      refuse LINK "
        "[TIME]\n"
        "  truncate LINK BYTES [to-target|to-client]             cut LINK        accept LINK\n"
        "  blackhole LINK [TIME]          resume LINK            stats LINK\n"
        "docs/fault-proxy.md explains them, and the scripts.");
}

std::vector<LinkOptions> parse_links(const std::vector<std::string>& texts) {
    std::vector<LinkOptions> links;
    for (const auto& text : texts) {
        auto link = value_or_fail(parse_link(text), kExitUsage, "--link");
        if (std::ranges::find(links, link.name, &LinkOptions::name) != links.end()) {
            throw Failure{kExitUsage, "--link: there are two links named " + link.name};
        }
        links.push_back(std::move(link));
    }
    return links;
}

std::vector<ScriptLine> read_script(const std::string& file,
                                    const std::vector<std::string>& names) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw Failure{kExitFailure, "--script: cannot read " + file};
    std::string text(kMaxScript + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxScript) throw Failure{kExitUsage, file + ": larger than 1 MiB"};
    return value_or_fail(parse_script(text, names), kExitUsage, file);
}

std::shared_ptr<net::Acceptor> open_control(net::asio::io_context& context,
                                            const std::string& text) {
    const auto where = value_or_fail(parse_host_port(text, true), kExitUsage, "--control");
    const auto endpoint =
        value_or_fail(net::Endpoint::parse(where.host, where.port), kExitUsage, "--control");
    net::Acceptor::Options options;
    options.component = "faults";
    options.name = "--control";
    options.keeps_reserve = false;
    return value_or_fail(
        net::Acceptor::listen(context.get_executor(), endpoint, std::move(options)), kExitFailure,
        "--control");
}

// A job in the background of a terminal would be stopped for reading from it.
bool may_read_input() {
    return ::isatty(STDIN_FILENO) == 0 || ::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
}

// Standard input may be a file or a device that cannot be waited for, so a thread reads it; it has
// nothing to do with any link. Its end is nobody's end: a daemon has none.
void read_input(const std::shared_ptr<const Controller>& controller,
                const net::asio::any_io_executor& executor) {
    for (std::string line; std::getline(std::cin, line);) {
        if (words_of(line).empty()) continue;
        if (line.size() > Controller::kMaxLine) {
            print_line("error the line is too long");
            continue;
        }
        auto work = controller->execute(line);
        print_line(net::asio::co_spawn(executor, std::move(work), net::asio::use_future).get());
    }
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

void run(const Arguments& arguments) {
    const auto options = parse_links(arguments.links);
    std::vector<std::string> names;
    names.reserve(options.size());
    for (const auto& link : options) names.push_back(link.name);
    std::vector<ScriptLine> script;
    if (!arguments.script.empty()) script = read_script(arguments.script, names);

    const unsigned threads = arguments.threads != 0
                                 ? arguments.threads
                                 : std::max(1u, std::thread::hardware_concurrency());
    net::ExecutorPool pool(std::min(threads, static_cast<unsigned>(options.size())));
    std::vector<std::shared_ptr<Link>> links;
    std::string ready = "ready faults";
    for (const auto& link : options) {
        links.push_back(std::make_shared<Link>(pool.next(), link));
        const auto opened = links.back()->open();
        if (!opened) throw Failure{kExitFailure, opened.error().message()};
        ready += " " + net::to_text(links.back()->endpoint());
    }
    const auto controller = std::make_shared<const Controller>(links);
    if (!arguments.control.empty()) {
        const auto acceptor = open_control(pool.first(), arguments.control);
        ready += " control=" + net::to_text(acceptor->local_endpoint());
        Controller::serve_all(controller, *acceptor);
    }
    if (!script.empty()) {
        ScriptRun steps(std::move(script), arguments.seed, names);
        net::spawn(pool.first(), Controller::play(controller, std::move(steps)));
    }
    net::asio::signal_set signals(pool.first(), SIGTERM, SIGINT);
    signals.async_wait([&](net::error_code, int) { pool.stop(); });
    print_line(ready);
    if (may_read_input()) {
        std::thread(read_input, controller, pool.first().get_executor()).detach();
    }
    pool.run();
    // Connections, and the thread that waits for input (and holds its lock), end with the process.
    std::fflush(stdout);
    std::_Exit(0);
}

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    CLI::App app(
        "A TCP proxy that behaves like a bad network: slow, far away, or broken on command.",
        "hpb-faults");
    Arguments arguments;
    declare(app, arguments);
    try {
        app.parse(argc, argv);
        run(arguments);
        return 0;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);
        fmt::print(stderr, "hpb-faults: error: {}; see hpb-faults --help\n", error.what());
        return kExitUsage;
    } catch (const Failure& failure) {
        fmt::print(stderr, "hpb-faults: error: {}\n", failure.message);
        return failure.code;
    } catch (const std::exception& error) {
        fmt::print(stderr, "hpb-faults: error: {}\n", error.what());
        return kExitFailure;
    }
}

}  // namespace
}  // namespace hpb::faults

int main(int argc, char** argv) {
    return hpb::faults::main(argc, argv);
}
