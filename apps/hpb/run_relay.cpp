#include "hpb/cli.hpp"
#include "hpb/commands.hpp"
#include "hpb/hardening.hpp"
#include "hpb/process.hpp"
#include "hpb/tls_files.hpp"
#include "net/endpoint.hpp"
#include "relay/relay_server.hpp"

namespace hpb::app {
namespace {

/// Time for listeners to answer the Close.
constexpr std::chrono::milliseconds kDrainLimit{1000};

}  // namespace

int run_relay(const config::RelayOptions& options) {
    const auto decision =
        net::decide_tls({options.tls.openssl_records, options.tls.openssl_cipher});
    auto tls = load_tls(options, decision.policy);
    if (!tls) {
        print_error(tls.error().message());
        const bool bad_file = tls.error().code() == make_error_code(net::tls_errc::bad_file);
        return bad_file ? kExitUsage : kExitFailure;
    }
    Process process(options.threads, options.busy_poll);
    relay::RelayServer server(process.pool(), options, std::move(*tls));
    const auto bound = server.listen();
    if (!bound) {
        print_error(bound.error().message());
        return kExitFailure;
    }
    if (!options.insecure) net::log_tls(decision, "relay");
    drop_capabilities();
    std::string addresses;
    for (const auto& endpoint : *bound) {
        addresses += (addresses.empty() ? "" : " ") +
                     net::host_port(endpoint.address().to_string(), endpoint.port());
    }
    print_ready("relay", addresses);
    process.on_status_request([&] { server.log_counters(); });
    process.run({.begin = [&] { server.shut_down(); },
                 .is_done = [&] { return server.connections() == 0; },
                 .limit = kDrainLimit});
}

}  // namespace hpb::app
