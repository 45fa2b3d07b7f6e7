#pragma once

#include <memory>
#include <string>
#include <vector>

#include "faults/link.hpp"
#include "faults/script.hpp"
#include "net/acceptor.hpp"

namespace hpb::faults {

/// Takes commands from wherever they come and has the links carry them out, each on its own thread.
/// Its coroutines run on any one thread; it does not change once made.
class Controller {
public:
    static constexpr std::size_t kMaxLine = 4096;

    explicit Controller(std::vector<std::shared_ptr<Link>> links) : links_(std::move(links)) {}

    /// @return the reply: "ok", "ok …" or "error …", without a line end. Done when it returns.
    [[nodiscard]] awaitable<std::string> execute(std::string line) const;
    [[nodiscard]] awaitable<Result<std::string>> execute(Command command) const;

    /// Serves a control connection until its end: a line, a reply.
    static awaitable<void> serve(std::shared_ptr<const Controller> self, net::Stream stream);
    /// Accepts control connections for as long as the process lives.
    static void serve_all(const std::shared_ptr<const Controller>& self, net::Acceptor& acceptor);
    /// Carries out a script and prints each step as it is done.
    static awaitable<void> play(std::shared_ptr<const Controller> self, ScriptRun script);

private:
    [[nodiscard]] Result<std::vector<std::shared_ptr<Link>>> links_of(
        const std::string& name) const;

    std::vector<std::shared_ptr<Link>> links_;
};

/// Prints one whole line on standard output, at once. Callable from any thread.
void print_line(const std::string& line);

}  // namespace hpb::faults
