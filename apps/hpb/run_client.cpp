#include "agent/client/client_agent.hpp"
#include "hpb/cli.hpp"
#include "hpb/commands.hpp"
#include "hpb/hardening.hpp"
#include "hpb/process.hpp"
#include "net/endpoint.hpp"
#include "net/tls/context.hpp"

namespace hpb::app {
namespace {

constexpr std::chrono::milliseconds kDrainLimit{5000};

std::string to_text(const std::vector<net::tcp::endpoint>& endpoints) {
    std::string addresses;
    for (const auto& endpoint : endpoints) {
        addresses += (addresses.empty() ? "" : " ") +
                     net::host_port(endpoint.address().to_string(), endpoint.port());
    }
    return addresses;
}

}  // namespace

int run_client(const config::ClientOptions& options) {
    Process process(0, options.busy_poll);
    agent::client::ClientAgent::Events events;
    events.on_ready = [](const auto& endpoints) {
        drop_capabilities();
        print_ready("client", to_text(endpoints));
    };
    events.on_not_yet = [](const auto& endpoints) {
        drop_capabilities();
        print_ready("client", to_text(endpoints) + " (the relay does not answer yet)");
    };
    events.on_fatal = [&process](const Error& error) {
        print_error(error.message());
        // A file that cannot be used is a matter of configuration.
        const bool bad_file = error.code() == make_error_code(net::tls_errc::bad_file);
        process.exit(bad_file ? kExitUsage : kExitFailure);
    };
    agent::client::ClientAgent agent(process.pool(), options, std::move(events));
    agent.start();
    process.on_status_request([&] { agent.log_counters(); });
    process.run({.begin = [&] { agent.stop([&] { process.exit(0); }); },
                 .is_done = nullptr,
                 .limit = kDrainLimit});
}

}  // namespace hpb::app
