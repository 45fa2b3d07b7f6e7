#include "faults/link.hpp"

#include <fmt/format.h>

namespace hpb::faults {
namespace {

constexpr std::array<std::string_view, 3> kModeNames{"flowing", "stalled", "blackholed"};

}  // namespace

Link::Link(net::asio::io_context& context, LinkOptions options)
    : executor_(context.get_executor()),
      options_(std::move(options)),
      state_(std::make_shared<LinkState>()),
      resume_timer_(context),
      accept_timer_(context) {
    state_->target = options_.target;
    for (const Way way : kWays) {
        auto& lane = state_->lane(way);
        lane.settings = options_.lanes[index_of(way)];
        lane.throttle.set_rate(lane.settings.rate);
    }
}

Result<void> Link::open() {
    if (endpoint_.port() == 0) {
        net::error_code error;
        const auto address = net::asio::ip::make_address(options_.listen.host, error);
        if (error) {
            return bad_argument(fmt::format("{}: '{}' is not an IP address to listen on",
                                            options_.name, options_.listen.host));
        }
        endpoint_ = {address, options_.listen.port};
    }
    net::Acceptor::Options options;
    options.component = "faults";
    options.name = options_.name;
    options.keeps_reserve = false;
    auto acceptor = net::Acceptor::listen(executor_, net::Endpoint(endpoint_), std::move(options));
    if (!acceptor) return acceptor.error().with_context(options_.name);
    acceptor_ = std::move(*acceptor);
    endpoint_ = acceptor_->local_endpoint();
    acceptor_->start([self = shared_from_this()](net::Stream client, const net::tcp::endpoint&) {
        self->take(std::move(client));
    });
    return {};
}

void Link::stop_listening() {
    if (acceptor_) std::exchange(acceptor_, nullptr)->close();
}

void Link::close() {
    stop_listening();
    resume_timer_.cancel();
    accept_timer_.cancel();
    for_each([](Connection& connection) { connection.reset(); });
}

void Link::take(net::Stream client) {
    if (state_->open >= kMaxConnections) return client.reset_on_close();
    ++accepted_;
    if (connections_.size() > 2 * state_->open + 64) {
        std::erase_if(connections_, [](const auto& connection) { return connection.expired(); });
    }
    auto connection = std::make_shared<Connection>(state_, std::move(client));
    connections_.push_back(connection);
    connection->start();
}

template <class Function>
void Link::for_each(Function function) {
    for (const auto& weak : connections_) {
        const auto connection = weak.lock();
        if (connection && !connection->is_over()) function(*connection);
    }
}

Result<std::string> Link::apply(const Action& action) {
    switch (action.verb) {
        case Verb::stats:
            return stats();
        case Verb::set:
            change(action.settings);
            break;
        case Verb::stall:
            enter(Mode::stalled, action);
            break;
        case Verb::blackhole:
            enter(Mode::blackholed, action);
            break;
        case Verb::resume:
            resume();
            break;
        case Verb::reset:
            for_each([](Connection& connection) { connection.reset(); });
            break;
        case Verb::cut:
            for_each([](Connection& connection) { connection.cut(); });
            break;
        case Verb::truncate:
            for_each([&](Connection& connection) {
                connection.truncate(action.way.value_or(Way::to_client), action.bytes.low);
            });
            break;
        case Verb::refuse:
            refuse(action);
            break;
        case Verb::accept: {
            accept_timer_.cancel();
            if (acceptor_) break;
            const auto opened = open();
            if (!opened) return opened.error();
            break;
        }
    }
    return std::string();
}

void Link::later(net::asio::steady_timer& timer, const Action& action, void (Link::*undo)()) {
    timer.cancel();
    if (!action.duration) return;
    timer.expires_after(action.duration->low);
    timer.async_wait([self = shared_from_this(), &timer, undo](net::error_code error) {
        // A handler that was queued before the timer was set anew has no say any more.
        if (!error && timer.expiry() <= Clock::now()) ((*self).*undo)();
    });
}

void Link::enter(Mode mode, const Action& action) {
    // Out of a black hole first: what lost bytes in it may not go on.
    if (mode != state_->mode) resume();
    state_->mode = mode;
    if (mode == Mode::blackholed) {
        for_each([](Connection& connection) { connection.enter_blackhole(); });
    }
    later(resume_timer_, action, &Link::resume);
}

void Link::resume() {
    resume_timer_.cancel();
    if (state_->mode == Mode::flowing) return;
    state_->mode = Mode::flowing;
    for_each([](Connection& connection) {
        connection.has_hole() ? connection.reset() : connection.wake();
    });
}

void Link::refuse(const Action& action) {
    stop_listening();
    later(accept_timer_, action, &Link::listen_again);
}

void Link::listen_again() {
    if (acceptor_) return;
    const auto opened = open();
    if (!opened) fmt::print(stderr, "hpb-faults: {}\n", opened.error().message());
}

void Link::change(const SettingsChange& change) {
    for (const Way way : kWays) {
        auto& lane = state_->lane(way);
        change.lanes[index_of(way)].apply_to(lane.settings);
        lane.throttle.set_rate(lane.settings.rate);
    }
    for_each([](Connection& connection) { connection.wake(); });
}

std::string Link::stats() const {
    const auto& lanes = state_->lanes;
    return fmt::format(
        "link={} mode={} listening={} open={} accepted={} unreached={} to-target={} to-client={} "
        "swallowed={}",
        options_.name, kModeNames[static_cast<std::size_t>(state_->mode)], acceptor_ ? "yes" : "no",
        state_->open, accepted_, state_->unreached, lanes[index_of(Way::to_target)].bytes,
        lanes[index_of(Way::to_client)].bytes, state_->swallowed);
}

}  // namespace hpb::faults
