#include "faults/controller.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "base/text.hpp"
#include "net/socket_options.hpp"

namespace hpb::faults {
namespace {

awaitable<Result<std::string>> apply_here(std::shared_ptr<Link> link, Action action) {
    co_return link->apply(action);
}

}  // namespace

void print_line(const std::string& line) {
    const std::string whole = line + "\n";
    std::fwrite(whole.data(), 1, whole.size(), stdout);
    std::fflush(stdout);
}

Result<std::vector<std::shared_ptr<Link>>> Controller::links_of(const std::string& name) const {
    if (name == kAllLinks) return links_;
    std::vector<std::string> names;
    for (const auto& link : links_) {
        if (link->name() == name) return std::vector{link};
        names.push_back(link->name());
    }
    return bad_argument(fmt::format("there is no link '{}'; there are *, {}", printable(name, 80),
                                    fmt::join(names, ", ")));
}

awaitable<Result<std::string>> Controller::execute(Command command) const {
    const auto links = links_of(command.link);
    if (!links) co_return links.error();
    std::string told;
    for (const auto& link : *links) {
        auto work = apply_here(link, command.action);
        const auto done = co_await net::asio::co_spawn(link->executor(), std::move(work),
                                                       net::asio::use_awaitable);
        if (!done) co_return done.error();
        if (!told.empty() && !done->empty()) told += "; ";
        told += *done;
    }
    co_return told;
}

awaitable<std::string> Controller::execute(std::string line) const {
    auto command = parse_command(line);
    if (!command) co_return "error " + command.error().message();
    const auto done = co_await execute(std::move(*command));
    if (!done) co_return "error " + done.error().message();
    co_return done->empty() ? "ok" : "ok " + *done;
}

awaitable<void> Controller::serve(std::shared_ptr<const Controller> self, net::Stream stream) {
    std::string input;
    std::array<std::byte, kMaxLine> part;
    while (true) {
        const auto end = input.find('\n');
        if (end == std::string::npos) {
            const auto got = co_await stream.read_some(part);
            if (!got || *got == 0) co_return;
            if (input.size() > kMaxLine) {
                (void)co_await stream.write(as_bytes("error the line is too long\n"));
                co_return;
            }
            input += as_text(ByteSpan(part).first(*got));
            continue;
        }
        std::string line(trim(std::string_view(input).substr(0, end)));
        input.erase(0, end + 1);
        if (line.empty()) continue;
        std::string reply = co_await self->execute(std::move(line));
        reply += "\n";
        const auto written = co_await stream.write(as_bytes(reply));
        if (!written) co_return;
    }
}

void Controller::serve_all(const std::shared_ptr<const Controller>& self, net::Acceptor& acceptor) {
    acceptor.start(
        [self, executor = acceptor.executor()](net::Stream stream, const net::tcp::endpoint&) {
            net::set_connection_options(stream.descriptor());
            net::spawn(executor, serve(self, std::move(stream)));
        });
}

awaitable<void> Controller::play(std::shared_ptr<const Controller> self, ScriptRun script) {
    const auto start = Clock::now();
    while (const auto step = script.next()) {
        co_await net::sleep_until(start + step->at);
        const auto done = co_await self->execute(step->command);
        print_line(done ? format_step(*step)
                        : "# " + format_step(*step) + ": " + done.error().message());
    }
    print_line("# script done");
}

}  // namespace hpb::faults
