#include "agent/client_agent.hpp"
#include "commands.hpp"
#include "net/dial.hpp"
#include "process.hpp"

namespace hpb::app {
namespace {

constexpr std::chrono::milliseconds kDrainLimit{5000};

}  // namespace

int run_client(const config::ClientOptions& options) {
    Process process(0);
    agent::ClientAgent::Events events;
    events.on_ready = [](const std::vector<net::tcp::endpoint>& endpoints) {
        std::string addresses;
        for (const auto& endpoint : endpoints) {
            addresses += (addresses.empty() ? "" : " ") +
                         net::host_port(endpoint.address().to_string(), endpoint.port());
        }
        print_ready("client", addresses);
    };
    events.on_fatal = [&process](const Error& error) {
        print_error(error.message());
        process.exit(kRunTimeFailure);
    };
    agent::ClientAgent agent(process.pool(), options, std::move(events));
    agent.start();
    return process.run([&] { agent.stop([&] { process.exit(kSuccess); }); }, kDrainLimit);
}

}  // namespace hpb::app
