#include "agent/service/service_agent.hpp"

#include <utility>

#include "agent/service/listener.hpp"
#include "agent/service/service_context.hpp"
#include "ops/log.hpp"

namespace hpb::agent::service {
namespace {

constexpr std::chrono::milliseconds kStopLimit{4500};

}  // namespace

/// Lives on the pool's first thread.
struct ServiceAgent::State : std::enable_shared_from_this<ServiceAgent::State> {
    State(net::ExecutorPool& threads, config::ServiceOptions service_options, Events agent_events)
        : pool(threads), options(std::move(service_options)), events(std::move(agent_events)) {}

    void start();
    void on_registered();
    void on_fatal(const Error& error);
    void stop_listeners();
    static net::awaitable<void> stop(std::shared_ptr<State> self, std::function<void()> on_stopped);

    net::ExecutorPool& pool;
    config::ServiceOptions options;
    Events events;
    std::shared_ptr<const ServiceContext> context;
    std::vector<std::shared_ptr<Listener>> listeners;
    std::size_t registered = 0;
    bool stopping = false;
};

void ServiceAgent::State::start() {
    if (stopping) return;
    auto dialer = RelayDialer::create(options.relay, "service");
    if (!dialer) return on_fatal(dialer.error());
    context = std::make_shared<const ServiceContext>(pool, options, *dialer);
    const auto executor = pool.first().get_executor();
    for (const auto& entity : options.entities) {
        const std::weak_ptr<State> weak = weak_from_this();
        Listener::Events listener_events;
        listener_events.on_registered = [executor, weak] {
            net::asio::post(executor, [weak] {
                if (const auto self = weak.lock()) self->on_registered();
            });
        };
        listener_events.on_fatal = [executor, weak](const Error& error) {
            net::asio::post(executor, [weak, error] {
                if (const auto self = weak.lock()) self->on_fatal(error);
            });
        };
        listeners.push_back(std::make_shared<Listener>(pool.next().get_executor(), context, entity,
                                                       std::move(listener_events)));
        net::spawn(listeners.back()->executor(), Listener::run(listeners.back()));
    }
    if (options.entities.empty()) {
        ops::log_warn("service", "no EntityPaths are configured: there is nothing to do");
        if (events.on_ready) events.on_ready({});
    }
}

void ServiceAgent::State::on_registered() {
    ++registered;
    if (registered != listeners.size() || stopping || !events.on_ready) return;
    std::vector<std::string> entities;
    entities.reserve(options.entities.size());
    for (const auto& entity : options.entities) entities.push_back(entity.path);
    events.on_ready(std::move(entities));
}

void ServiceAgent::State::on_fatal(const Error& error) {
    if (std::exchange(stopping, true)) return;
    stop_listeners();
    if (events.on_fatal) events.on_fatal(error);
}

void ServiceAgent::State::stop_listeners() {
    for (const auto& listener : listeners)
        net::asio::post(listener->executor(), [listener] { listener->stop(); });
}

net::awaitable<void> ServiceAgent::State::stop(std::shared_ptr<State> self,
                                               std::function<void()> on_stopped) {
    self->stopping = true;
    self->stop_listeners();
    if (self->context) co_await shut_down_channels(self->context->registry, kStopLimit);
    if (on_stopped) on_stopped();
}

ServiceAgent::ServiceAgent(net::ExecutorPool& pool, config::ServiceOptions options, Events events)
    : state_(std::make_shared<State>(pool, std::move(options), std::move(events))) {}

ServiceAgent::~ServiceAgent() = default;

void ServiceAgent::start() {
    net::asio::post(state_->pool.first(), [state = state_] { state->start(); });
}

void ServiceAgent::log_counters() {
    const auto& context = state_->context;
    if (!context) return;
    context->registry->collect(context->metrics->past(), [](const SessionCounts& counts) {
        ops::log_info("service", "{}", to_text(counts));
    });
}

void ServiceAgent::stop(std::function<void()> on_stopped) {
    net::spawn(state_->pool.first().get_executor(), State::stop(state_, std::move(on_stopped)));
}

}  // namespace hpb::agent::service
