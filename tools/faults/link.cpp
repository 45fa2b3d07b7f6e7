#include "faults/link.hpp"

#include <fmt/format.h>

#include "net/dial.hpp"

namespace hpb::faults {
namespace {

constexpr int kBacklog = 4096;
// When the process has run out of descriptors, connections wait in the kernel's queue meanwhile.
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::array<std::string_view, 3> kModeNames{"flowing", "stalled", "blackholed"};

}  // namespace

Link::Link(net::asio::io_context& context, LinkOptions options)
    : executor_(context.get_executor()),
      options_(std::move(options)),
      state_(std::make_shared<LinkState>()),
      acceptor_(context),
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
    net::error_code error;
    if (endpoint_.port() == 0) {
        const auto address = net::asio::ip::make_address(options_.listen.host, error);
        if (error) {
            return bad_argument(fmt::format("{}: '{}' is not an IP address to listen on",
                                            options_.name, options_.listen.host));
        }
        endpoint_ = {address, options_.listen.port};
    }
    acceptor_.open(endpoint_.protocol(), error);
    if (!error) acceptor_.set_option(net::tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint_, error);
    if (!error) acceptor_.listen(kBacklog, error);
    if (!error) endpoint_ = acceptor_.local_endpoint(error);
    if (error) {
        net::error_code ignored;
        acceptor_.close(ignored);
        return Error(error, fmt::format("{}: cannot listen on {}: {}", options_.name,
                                        net::host_port(options_.listen.host, endpoint_.port()),
                                        error.message()));
    }
    net::spawn(executor_, accept_all(shared_from_this(), ++generation_));
    return {};
}

void Link::close() {
    net::error_code ignored;
    ++generation_;
    acceptor_.close(ignored);
    resume_timer_.cancel();
    accept_timer_.cancel();
    for_each([](Connection& connection) { connection.reset(); });
}

awaitable<void> Link::accept_all(std::shared_ptr<Link> self, std::uint64_t generation) {
    while (true) {
        auto [error, socket] = co_await self->acceptor_.async_accept(net::kAsTuple);
        if (self->generation_ != generation) co_return;
        if (!error) {
            self->take(std::move(socket));
        } else if (error == net::asio::error::no_descriptors) {
            co_await net::sleep_for(kAcceptPause);
            if (self->generation_ != generation) co_return;
        }
    }
}

void Link::take(net::tcp::socket socket) {
    net::Stream client(std::move(socket));
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
            if (acceptor_.is_open()) break;
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
    net::error_code ignored;
    ++generation_;
    acceptor_.close(ignored);
    later(accept_timer_, action, &Link::listen_again);
}

void Link::listen_again() {
    if (acceptor_.is_open()) return;
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
        options_.name, kModeNames[static_cast<std::size_t>(state_->mode)],
        acceptor_.is_open() ? "yes" : "no", state_->open, accepted_, state_->unreached,
        lanes[index_of(Way::to_target)].bytes, lanes[index_of(Way::to_client)].bytes,
        state_->swallowed);
}

}  // namespace hpb::faults
