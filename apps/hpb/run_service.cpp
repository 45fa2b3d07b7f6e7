#include "agent/service_agent.hpp"
#include "commands.hpp"
#include "process.hpp"

namespace hpb::app {
namespace {

constexpr std::chrono::milliseconds kDrainLimit{5000};

}  // namespace

int run_service(const config::ServiceOptions& options) {
    Process process(0);
    agent::ServiceAgent::Events events;
    events.on_ready = [](const std::vector<std::string>& entities) {
        std::string names;
        for (const auto& entity : entities) names += (names.empty() ? "" : " ") + entity;
        print_ready("service", names);
    };
    events.on_fatal = [&process](const Error& error) {
        print_error(error.message());
        process.exit(kRunTimeFailure);
    };
    agent::ServiceAgent agent(process.pool(), options, std::move(events));
    agent.start();
    return process.run([&] { agent.stop([&] { process.exit(kSuccess); }); }, kDrainLimit);
}

}  // namespace hpb::app
