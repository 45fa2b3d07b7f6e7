#include "agent/client/client_agent.hpp"

#include <map>
#include <set>
#include <utility>

#include "agent/client/channel_slot.hpp"
#include "agent/client/port_listener.hpp"
#include "base/text.hpp"
#include "ops/log.hpp"

namespace hpb::agent::client {
namespace {

constexpr const char* kComponent = "client";
constexpr std::chrono::milliseconds kStopLimit{4500};
constexpr std::chrono::milliseconds kProbeLimit{5000};
constexpr std::chrono::milliseconds kProbePause{3000};

/// A sender's rule need not be allowed to read the entity, so only a 401 that says what is wrong
/// with the token itself shows that no channel will ever be granted.
bool blames_token(const std::string& message) {
    const std::string text = to_lower(message);
    for (const char* word : {"signature", "expired", "audience", "malformed", "clock"}) {
        if (text.find(word) != std::string::npos) return true;
    }
    return false;
}

bool is_fatal(const Error& error) {
    if (error.code() == make_error_code(relay_errc::not_authorised))
        return blames_token(error.message());
    return is_permanent(error);
}

}  // namespace

/// Lives on the pool's first thread.
struct ClientAgent::State : std::enable_shared_from_this<ClientAgent::State> {
    State(net::ExecutorPool& threads, config::ClientOptions client_options, Events agent_events)
        : pool(threads), options(std::move(client_options)), events(std::move(agent_events)) {}

    static net::awaitable<void> start(std::shared_ptr<State> self);
    static net::awaitable<void> stop(std::shared_ptr<State> self, std::function<void()> on_stopped);
    [[nodiscard]] net::awaitable<Result<void>> probe_relay();
    static net::awaitable<void> wait_for_relay(std::shared_ptr<State> self);
    void note_reached();
    [[nodiscard]] Result<void> bind_ports();
    void on_fatal(const Error& error);
    void stop_listeners();

    net::ExecutorPool& pool;
    config::ClientOptions options;
    Events events;
    std::shared_ptr<const ClientContext> context;
    std::vector<std::shared_ptr<PortListener>> listeners;
    bool stopping = false;
    bool reached = false;  // the relay, at least once
};

net::awaitable<void> ClientAgent::State::start(std::shared_ptr<State> self) {
    auto dialer = RelayDialer::create(self->options.relay, "client");
    if (!dialer) {
        self->on_fatal(dialer.error());
        co_return;
    }
    self->context = std::make_shared<const ClientContext>(self->options, *dialer);
    const auto probed = co_await self->probe_relay();
    if (self->stopping) co_return;
    const auto bound = probed ? self->bind_ports() : probed;
    if (!bound) {
        self->on_fatal(bound.error());
        co_return;
    }
    std::vector<net::tcp::endpoint> endpoints;
    for (const auto& listener : self->listeners) {
        endpoints.push_back(listener->endpoint());
        listener->start();
    }
    if (self->listeners.empty())
        ops::log_warn(kComponent, "no PortMappings are configured: there is nothing to do");
    if (!self->reached) net::spawn(self->pool.first(), wait_for_relay(self));
    const auto& tell =
        self->reached || !self->events.on_not_yet ? self->events.on_ready : self->events.on_not_yet;
    if (tell) tell(std::move(endpoints));
}

void ClientAgent::State::note_reached() {
    if (!std::exchange(reached, true))
        ops::log_info(kComponent, "relay {} reached", context->dialer->name());
}

/// Looks for a relay that was not there at the start, so that the log tells when it is.
net::awaitable<void> ClientAgent::State::wait_for_relay(std::shared_ptr<State> self) {
    while (!self->stopping && !self->reached) {
        co_await net::sleep_for(kProbePause);
        if (self->stopping) co_return;
        const auto found = co_await self->context->dialer->probe(kProbeLimit);
        if (found) self->note_reached();
    }
}

net::awaitable<Result<void>> ClientAgent::State::probe_relay() {
    std::set<std::string> entities;
    for (const auto& mapping : options.mappings) entities.insert(mapping.entity);
    const auto& dialer = *context->dialer;
    for (const auto& entity : entities) {
        Result<void> outcome;
        if (dialer.has_credentials()) {
            const auto info = co_await dialer.runtime_information(entity, kProbeLimit);
            if (!info) outcome = info.error();
        } else {
            outcome = co_await dialer.probe_anonymously(entity, kProbeLimit);
        }
        if (outcome) {
            note_reached();
            continue;
        }
        const bool needs_token =
            !dialer.has_credentials() &&
            outcome.error().code() == make_error_code(relay_errc::not_authorised);
        if (needs_token || is_fatal(outcome.error())) co_return outcome.error();
        if (outcome.error().code() == make_error_code(relay_errc::unreachable)) {
            ops::log_warn(kComponent, "{}; connections will be attempted as they arrive",
                          outcome.error().message());
            break;
        }
        note_reached();
        // A sender's rule need not be allowed to read the entity.
        if (outcome.error().code() != make_error_code(relay_errc::not_authorised)) {
            ops::log_warn(kComponent, "{}; connections will be attempted as they arrive",
                          outcome.error().message());
        } else {
            ops::log_debug(kComponent, "{}: {}", entity, outcome.error().message());
        }
    }
    if (entities.empty()) reached = true;
    co_return Result<void>();
}

Result<void> ClientAgent::State::bind_ports() {
    std::map<std::string, std::shared_ptr<Bridge>> bridges;
    for (const auto& mapping : options.mappings) {
        auto& bridge = bridges[to_lower(mapping.entity)];
        if (!bridge) {
            bridge =
                std::make_shared<Bridge>(pool.next().get_executor(), pool, context, mapping.entity);
        }
        auto listener = PortListener::bind(bridge, context, mapping);
        if (!listener) return listener.error();
        listeners.push_back(std::move(*listener));
    }
    return {};
}

void ClientAgent::State::on_fatal(const Error& error) {
    if (std::exchange(stopping, true)) return;
    stop_listeners();
    if (events.on_fatal) events.on_fatal(error);
}

void ClientAgent::State::stop_listeners() {
    for (const auto& listener : listeners)
        net::asio::post(listener->executor(), [listener] { listener->stop(); });
}

net::awaitable<void> ClientAgent::State::stop(std::shared_ptr<State> self,
                                              std::function<void()> on_stopped) {
    self->stopping = true;
    self->stop_listeners();
    if (self->context) co_await shut_down_channels(self->context->registry, kStopLimit);
    if (on_stopped) on_stopped();
}

ClientAgent::ClientAgent(net::ExecutorPool& pool, config::ClientOptions options, Events events)
    : state_(std::make_shared<State>(pool, std::move(options), std::move(events))) {}

ClientAgent::~ClientAgent() = default;

void ClientAgent::start() {
    net::spawn(state_->pool.first().get_executor(), State::start(state_));
}

void ClientAgent::log_counters() {
    const auto& context = state_->context;
    if (!context) return;
    context->registry->collect(context->metrics->past(), [](const SessionCounts& counts) {
        ops::log_info("client", "{}", to_text(counts));
    });
}

void ClientAgent::stop(std::function<void()> on_stopped) {
    net::spawn(state_->pool.first().get_executor(), State::stop(state_, std::move(on_stopped)));
}

}  // namespace hpb::agent::client
