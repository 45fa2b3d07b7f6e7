#include "agent/service/service_agent.hpp"
#include "hpb/cli.hpp"
#include "hpb/commands.hpp"
#include "hpb/hardening.hpp"
#include "hpb/process.hpp"
#include "net/tls/context.hpp"

namespace hpb::app {
namespace {

constexpr std::chrono::milliseconds kDrainLimit{5000};

}  // namespace

int run_service(const config::ServiceOptions& options) {
    Process process(0, options.busy_poll);
    agent::service::ServiceAgent::Events events;
    events.on_ready = [](const std::vector<std::string>& entities) {
        std::string names;
        for (const auto& entity : entities) names += (names.empty() ? "" : " ") + entity;
        print_ready("service", names);
    };
    events.on_fatal = [&process](const Error& error) {
        print_error(error.message());
        // A file that cannot be used is a matter of configuration.
        const bool bad_file = error.code() == make_error_code(net::tls_errc::bad_file);
        process.exit(bad_file ? kExitUsage : kExitFailure);
    };
    agent::service::ServiceAgent agent(process.pool(), options, std::move(events));
    agent.start();
    net::asio::post(process.pool().first(), drop_capabilities);  // when it has read its files
    process.on_status_request([&] { agent.log_counters(); });
    process.run({.begin = [&] { agent.stop([&] { process.exit(0); }); },
                 .is_done = nullptr,
                 .limit = kDrainLimit});
}

}  // namespace hpb::app
