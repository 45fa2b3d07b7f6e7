#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "agent/client/client_agent.hpp"
#include "agent/service/service_agent.hpp"
#include "crypto/crypto.hpp"
#include "hpb/cli.hpp"
#include "hpb/commands.hpp"
#include "hpb/demo_check.hpp"
#include "hpb/demo_servers.hpp"
#include "hpb/hardening.hpp"
#include "hpb/process.hpp"
#include "net/dial/dial.hpp"
#include "net/endpoint.hpp"
#include "net/tls/throwaway_certificate.hpp"
#include "relay/relay_server.hpp"

namespace hpb::app {
namespace {

constexpr std::uint64_t kCheckBytes = 256ull << 20;
constexpr std::int32_t kTargetKey = 1;
constexpr std::int32_t kEchoKey = 2;
constexpr const char* kEntity = "demo";
constexpr const char* kRule = "demo";
constexpr std::chrono::milliseconds kDrainLimit{1000};
constexpr std::chrono::seconds kTargetLimit{5};

/// Relay, service agent and client agent in one process, as three machines would run them.
class Demo {
public:
    explicit Demo(const DemoOptions& options)
        : options_(options),
          certificate_(net::make_throwaway_certificate()),
          key_(crypto::random_hex(32)) {}

    int run();

private:
    [[nodiscard]] std::optional<Error> start_relay();
    void start_service();
    void start_client();
    [[nodiscard]] config::RelayAccess relay_access() const;
    [[nodiscard]] net::awaitable<void> check(std::uint16_t local_port, std::uint16_t check_port);
    void fail(const Error& error);

    const DemoOptions& options_;
    net::CertificateAndKey certificate_;
    std::string key_;
    config::RelayOptions relay_options_;
    Process process_{0, relay_options_.busy_poll};
    std::optional<relay::RelayServer> relay_;
    std::optional<agent::service::ServiceAgent> service_;
    std::optional<agent::client::ClientAgent> client_;
    std::uint16_t relay_port_ = 0;
    hc::TargetAddress target_;
};

std::optional<Error> Demo::start_relay() {
    config::AccessRule rule;
    rule.name = kRule;
    rule.key = key_;
    rule.manage = true;
    relay_options_.listen = {{"127.0.0.1", 0}};
    relay_options_.access_rules = {rule};
    relay_options_.hybrid_connections.emplace_back();
    relay_options_.hybrid_connections.back().path = kEntity;
    auto tls = net::TlsServerContext::from_pem(certificate_.certificate, certificate_.key,
                                               net::decide_tls({}).policy);
    if (!tls) return tls.error();
    relay_.emplace(process_.pool(), relay_options_, std::move(*tls));
    const auto bound = relay_->listen();
    if (!bound) return bound.error();
    relay_port_ = bound->front().port();
    fmt::print("relay          listens on 127.0.0.1:{} (TLS)\n", relay_port_);
    return std::nullopt;
}

config::RelayAccess Demo::relay_access() const {
    config::RelayAccess access;
    access.address = {.host = "127.0.0.1", .port = relay_port_, .secure = true};
    access.key_name = kRule;
    access.key = key_;
    access.ca_pem = certificate_.certificate;
    return access;
}

void Demo::start_service() {
    auto& context = process_.pool().first();
    target_ = options_.target.value_or(hc::TargetAddress{"127.0.0.1", 0});
    if (!options_.target) {
        const auto page = start_page_server(context);
        if (!page) return fail(page.error());
        target_.port = *page;
    }
    const auto echo = start_echo_server(context);
    if (!echo) return fail(echo.error());
    config::ServiceOptions service;
    service.relay = relay_access();
    service.entities.emplace_back();
    auto& entity = service.entities.back();
    entity.path = kEntity;
    entity.use_user_metadata = false;
    entity.targets = {{kTargetKey, target_}, {kEchoKey, {"127.0.0.1", *echo}}};
    agent::service::ServiceAgent::Events events;
    events.on_ready = [this](const auto&) {
        fmt::print("service agent  registered with the relay; target {}\n",
                   options_.target ? target_.to_string() : "a bundled web page");
        start_client();
    };
    events.on_fatal = [this](const Error& error) { fail(error); };
    service_.emplace(process_.pool(), std::move(service), std::move(events));
    service_->start();
}

void Demo::start_client() {
    config::ClientOptions client;
    client.relay = relay_access();
    for (const auto& [port, key] :
         {std::pair(options_.port, kTargetKey), std::pair(std::uint16_t{0}, kEchoKey)}) {
        config::ClientMapping mapping;
        mapping.port = port;
        mapping.bind_address = "127.0.0.1";
        (void)mapping.accept_from.add("127.0.0.1");
        mapping.entity = kEntity;
        mapping.remote_configuration_key = key;
        client.mappings.push_back(std::move(mapping));
    }
    agent::client::ClientAgent::Events events;
    events.on_ready = [this](const std::vector<net::tcp::endpoint>& ports) {
        drop_capabilities();
        fmt::print("client agent   listens on 127.0.0.1:{}\n", ports[0].port());
        net::spawn(process_.pool().first(), check(ports[0].port(), ports[1].port()));
    };
    events.on_fatal = [this](const Error& error) { fail(error); };
    client_.emplace(process_.pool(), std::move(client), std::move(events));
    client_->start();
}

void Demo::fail(const Error& error) {
    print_error(error.message());
    process_.exit(kExitFailure);
}

net::awaitable<void> Demo::check(std::uint16_t local_port, std::uint16_t check_port) {
    if (options_.target) {
        net::DialOptions limits;
        limits.timeout = kTargetLimit;
        const auto reached = co_await net::dial(target_.host, target_.port, limits);
        if (!reached)
            co_return fail(reached.error().with_context(
                fmt::format("the target {} cannot be reached", target_.to_string())));
    }
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    const Progress progress = [terminal, last = -1](std::uint64_t done,
                                                    std::uint64_t total) mutable {
        const int percent = static_cast<int>(done * 100 / total);
        if (!terminal || percent == last) return;
        last = percent;
        fmt::print("\rcheck          {:3} %  {} of {} MiB there and back", percent, done >> 20,
                   total >> 20);
        std::fflush(stdout);
    };
    const auto figures = co_await check_path(check_port, kCheckBytes, progress);
    if (terminal) fmt::print("\r\x1b[K");
    if (!figures)
        co_return fail(figures.error().with_context("the check through the bridge failed"));
    const double mib = static_cast<double>(figures->bytes) / (1 << 20);
    fmt::print(
        "check          {:.0f} MiB sent and received back, every byte compared: {:.2f} s, {:.0f} "
        "MiB/s each way\n"
        "               first byte after {:.1f} ms, then {:.2f} ms for a byte there and back "
        "(median)\n",
        mib, figures->seconds, mib / figures->seconds, figures->connect_ms, figures->round_trip_ms);
    if (options_.once) {
        process_.exit(0);
        co_return;
    }
    if (options_.target) {
        fmt::print("serving        127.0.0.1:{} leads to {}; Ctrl+C ends it\n", local_port,
                   target_.to_string());
    } else {
        fmt::print("serving        open http://127.0.0.1:{}/ ; Ctrl+C ends it\n", local_port);
    }
    print_ready("demo", net::host_port("127.0.0.1", local_port));
}

int Demo::run() {
    if (const auto error = start_relay()) {
        print_error(error->message());
        return kExitFailure;
    }
    start_service();
    process_.on_status_request([this] {
        relay_->log_counters();
        if (service_) service_->log_counters();
        if (client_) client_->log_counters();
    });
    process_.run({.begin = [this] { relay_->shut_down(); },
                  .is_done = [this] { return relay_->connections() == 0; },
                  .limit = kDrainLimit});
}

}  // namespace

int run_demo(const DemoOptions& options) {
    return Demo(options).run();
}

}  // namespace hpb::app
