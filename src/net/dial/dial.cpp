#include "net/dial/dial.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "net/descriptors.hpp"
#include "net/dial/address_memory.hpp"
#include "net/dial/forbidden_address.hpp"
#include "net/dial/resolver.hpp"
#include "net/endpoint.hpp"
#include "net/signal.hpp"
#include "net/socket_options.hpp"
#include "net/system_error.hpp"
#include "net/tls/failure.hpp"
#include "ops/limits.hpp"

namespace hpb::net {
namespace {

/// RFC 8305 section 5, "Connection Attempt Delay".
constexpr std::chrono::milliseconds kAttemptDelay{250};
/// Addresses of one name that are tried; a name with more is misconfigured.
constexpr std::size_t kMaxAddresses = 16;
/// However many addresses there are, each gets at least this much time.
constexpr std::chrono::milliseconds kLeastShare{1000};

/// Starts a connection attempt, or returns the state of one already started.
error_code connect(int descriptor, const tcp::endpoint& address) {
    if (::connect(descriptor, address.data(), static_cast<socklen_t>(address.size())) == 0)
        return {};
    return system_error_now().code();
}

/// A started connection, already established unless `pending`.
struct Attempt {
    tcp::socket socket;
    bool pending;
};

Result<Attempt> begin(const asio::any_io_executor& executor, const tcp::endpoint& address,
                      bool use_reserve) {
    const int descriptor = ::socket(address.protocol().family(),
                                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (descriptor < 0) return system_error_now();
    if (!use_reserve && is_reserved_descriptor(descriptor)) {
        ::close(descriptor);
        return Error(asio::error::no_descriptors);
    }
    error_code error = connect(descriptor, address);
    // With nearby hosts the handshake has completed when the call that started it returns: a second
    // connect() reports that, and there is nothing to wait for.
    if (error == asio::error::in_progress) error = connect(descriptor, address);
    Attempt attempt{tcp::socket(executor), error == asio::error::already_started};
    if (attempt.pending) error.clear();
    if (!error) attempt.socket.assign(address.protocol(), descriptor, error);
    if (!error) return attempt;
    ::close(descriptor);
    return Error(error);
}

struct Connected {
    tcp::socket socket;
    tcp::endpoint address;
};

/// Attempts that are pending, the first success wins. Shared by the dialling coroutine and the
/// handlers of attempts, which may finish after it went on.
struct Race : std::enable_shared_from_this<Race> {
    explicit Race(const asio::any_io_executor& executor) : changed(executor) {}

    void enter(tcp::socket entrant, const tcp::endpoint& address) {
        sockets.push_back(std::make_shared<tcp::socket>(std::move(entrant)));
        ++running;
        wait_for(sockets.back(), address);
    }

    void wait_for(const std::shared_ptr<tcp::socket>& socket, const tcp::endpoint& address) {
        socket->async_wait(tcp::socket::wait_write,
                           [self = shared_from_this(), socket, address](error_code failed) {
                               if (!failed) failed = connect(socket->native_handle(), address);
                               // The wake-up may be spurious.
                               if (failed == asio::error::already_started)
                                   return self->wait_for(socket, address);
                               self->on_outcome(*socket, address, failed);
                           });
    }

    void on_outcome(tcp::socket& socket, const tcp::endpoint& address, error_code failed) {
        --running;
        if (!failed && !winner && !over) {
            winner = Connected{std::move(socket), address};
        } else if (failed && failed != asio::error::operation_aborted) {
            last_error = failed;
        }
        changed.notify_all();
    }

    void cancel() {
        over = true;
        for (const auto& socket : sockets) {
            error_code ignored;
            if (socket->is_open()) socket->close(ignored);
        }
    }

    Signal changed;
    std::vector<std::shared_ptr<tcp::socket>> sockets;
    std::optional<Connected> winner;
    std::size_t running = 0;
    bool over = false;
    error_code last_error;
};

// Alternates between the families, beginning with the resolver's first choice (RFC 8305 section 4).
std::vector<tcp::endpoint> interleave(const Resolver::Addresses& found, std::uint16_t port) {
    std::vector<tcp::endpoint> first;
    std::vector<tcp::endpoint> second;
    for (const auto& address : found)
        (address.is_v4() == found.front().is_v4() ? first : second).emplace_back(address, port);
    std::vector<tcp::endpoint> order;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) order.push_back(first[i]);
        if (i < second.size()) order.push_back(second[i]);
    }
    if (order.size() > kMaxAddresses) {
        ops::reached(ops::Limit::cut_address_lists);
        order.resize(kMaxAddresses);
    }
    put_bad_addresses_last(order);
    return order;
}

/// @return what to try, in this order.
awaitable<Result<std::vector<tcp::endpoint>>> resolve(std::string host, std::uint16_t port,
                                                      bool to_relay, Clock::time_point deadline) {
    error_code is_a_name;
    const auto literal = asio::ip::make_address(host, is_a_name);
    if (!is_a_name) co_return std::vector<tcp::endpoint>{{literal, port}};
    const auto found = co_await Resolver::instance().resolve(
        host, deadline, to_relay ? Resolver::For::relay : Resolver::For::target);
    if (!found) co_return found.error();
    co_return interleave(*found, port);
}

// The addresses one after the other, each with a head start, until one answers.
awaitable<Result<Connected>> connect_first(std::vector<tcp::endpoint> addresses, bool use_reserve,
                                           Clock::time_point deadline) {
    const auto executor = co_await asio::this_coro::executor;
    std::shared_ptr<Race> race;  // where nothing is pending there is none
    error_code last_error = make_error_code(errc::timed_out);
    for (std::size_t next = 0; !(race && race->winner) && Clock::now() < deadline;) {
        if (next < addresses.size()) {
            const auto& address = addresses[next++];
            auto attempt = begin(executor, address, use_reserve);
            if (!attempt) {
                last_error = attempt.error().code();
                continue;
            }
            if (!attempt->pending) {
                if (race) race->cancel();
                co_return Connected{std::move(attempt->socket), address};
            }
            if (!race) race = std::make_shared<Race>(executor);
            race->enter(std::move(attempt->socket), address);
        } else if (!race || race->running == 0) {
            break;
        }
        const std::size_t running = race->running;
        const auto delay_over = Clock::now() + kAttemptDelay;
        const auto until = next < addresses.size() ? std::min(delay_over, deadline) : deadline;
        while (!race->winner && race->running == running && Clock::now() < until) {
            (void)co_await race->changed.wait_until(until);
        }
    }
    if (!race) co_return Error(last_error);
    race->cancel();
    if (race->winner) co_return std::move(*race->winner);
    co_return Error(race->last_error ? race->last_error : last_error);
}

Error explain_connect_failure(const std::string& where, const error_code& code) {
    std::string why =
        code == make_error_code(errc::timed_out) ? "no answer in time" : to_lower(code.message());
    if (code == asio::error::no_descriptors) why += "; " + descriptor_shortage();
    return {code, "cannot reach " + where + ": " + why};
}

/// One dial, over the addresses of its name.
class Dialling {
public:
    Dialling(std::string host, std::uint16_t port, const DialOptions& options)
        : host_(std::move(host)),
          where_(host_port(host_, port)),
          first_host_(options.proxy != nullptr ? options.proxy->host : host_),
          first_port_(options.proxy != nullptr ? options.proxy->port : port),
          options_(options),
          deadline_(Clock::now() + options.timeout) {}

    awaitable<Result<Stream>> run();

private:
    awaitable<Result<Stream>> connect();
    awaitable<std::optional<Error>> secure(Stream& stream, Clock::time_point until);
    awaitable<std::optional<Error>> greet(Stream& stream);
    /// The name of what is dialled, for a log line: a proxy is named as such.
    [[nodiscard]] std::string first_name() const {
        const std::string name = host_port(first_host_, first_port_);
        return options_.proxy == nullptr ? name
                                         : "the proxy " + name + " (on the way to " + where_ + ")";
    }
    void leave_out(const tcp::endpoint& address);

    std::string host_;
    std::string where_;
    std::string first_host_;  // the proxy's, if there is one
    std::uint16_t first_port_;
    DialOptions options_;
    Clock::time_point deadline_;
    std::vector<tcp::endpoint> addresses_;
    tcp::endpoint current_;
    bool through_proxy_ = false;  // the proxy, if there is one, has done its part
};

void Dialling::leave_out(const tcp::endpoint& address) {
    std::erase(addresses_, address);
}

awaitable<Result<Stream>> Dialling::connect() {
    auto connected = co_await connect_first(addresses_, options_.use_reserve, deadline_);
    if (!connected) {
        if (connected.error().code() == asio::error::no_descriptors) {
            ops::reached(ops::Limit::descriptor_shortages);
        } else {
            Resolver::instance().forget(first_host_);
        }
        if (Clock::now() >= deadline_) ops::reached(ops::Limit::late_connections);
        co_return explain_connect_failure(first_name(), connected.error().code());
    }
    current_ = connected->address;
    leave_out(current_);
    Stream stream(std::move(connected->socket));
    set_connection_options(stream.descriptor());
    co_return std::move(stream);
}

awaitable<std::optional<Error>> Dialling::greet(Stream& stream) {
    through_proxy_ = false;
    if (options_.proxy != nullptr) {
        const auto through = co_await connect_through(stream, *options_.proxy, where_);
        if (!through) co_return through.error();
    }
    if (options_.tls == nullptr) co_return std::nullopt;
    through_proxy_ = true;
    PendingTls tls = options_.tls->make(host_);
    const auto secured = co_await net::secure(stream, tls);
    if (secured) co_return std::nullopt;
    std::string whose = where_;
    if (options_.proxy != nullptr)
        whose += " (through the proxy " + host_port(first_host_, first_port_) + ")";
    co_return explain_handshake_failure(tls.ssl.get(), whose, secured.error());
}

awaitable<std::optional<Error>> Dialling::secure(Stream& stream, Clock::time_point until) {
    Deadline limit(stream, until - Clock::now());
    auto failure = co_await greet(stream);
    if (!failure || !limit.expired()) co_return failure;
    ops::reached(ops::Limit::late_connections);
    std::string who = where_ + " did not answer in time";
    if (options_.proxy != nullptr && !through_proxy_)
        who = "proxy " + host_port(first_host_, first_port_) +
              " did not answer in time when asked for " + where_;
    co_return Error(errc::timed_out, std::move(who));
}

awaitable<Result<Stream>> Dialling::run() {
    auto found = co_await resolve(first_host_, first_port_, options_.to_relay, deadline_);
    if (!found) co_return found.error().with_context("cannot reach " + first_name());
    addresses_ = std::move(*found);
    if (options_.avoid_link_local && !addresses_.empty()) {
        const auto first = addresses_.front().address().to_string();
        std::erase_if(addresses_, [](const tcp::endpoint& endpoint) {
            return is_link_local_or_metadata(endpoint.address());
        });
        if (addresses_.empty()) {
            ops::reached(ops::Limit::forbidden_addresses);
            co_return Error(
                errc::not_permitted,
                (first == first_host_ ? first : first_host_ + ", that is " + first + ",") +
                    " is a link-local or metadata address, which the hybrid "
                    "connection's UserMetadata may not name; name it in Targets or -T");
        }
    }
    if (options_.attempts != nullptr) {
        for (const auto& address : options_.attempts->failed) leave_out(address);
    }
    std::optional<Error> failure;
    do {
        auto stream = co_await connect();
        if (!stream) co_return failure ? *failure : stream.error();
        // Nothing more to wait for: a target's connection needs no timer.
        const bool plain = options_.proxy == nullptr && options_.tls == nullptr;
        auto until = deadline_;
        if (!addresses_.empty())
            until = std::min(until, Clock::now() + std::max<Clock::duration>(
                                                       kLeastShare, (until - Clock::now()) / 2));
        auto unfit = plain ? std::nullopt : co_await secure(*stream, until);
        if (!unfit) {
            if (options_.attempts != nullptr)
                *options_.attempts = {std::move(options_.attempts->failed), current_,
                                      !addresses_.empty()};
            co_return std::move(stream);
        }
        // A proxy that refuses has answered.
        if (unfit->code() == make_error_code(errc::not_permitted)) co_return *unfit;
        remember_bad_address(current_);
        // A certificate error is more informative than another address's silence.
        if (!failure || !is_certificate_error(*failure)) failure = std::move(unfit);
    } while (!addresses_.empty() && Clock::now() < deadline_);
    co_return *failure;
}

/// Holds the turn of a proxy's user and password, if it is ours to try them.
awaitable<Result<Stream>> dial_by_way_of(std::string host, std::uint16_t port,
                                         DialOptions options) {
    if (options.proxy != nullptr) {
        const auto deadline = Clock::now() + options.timeout;
        const auto turn = co_await wait_for_login(*options.proxy, deadline);
        if (!turn) co_return turn.error();
        options.timeout = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    }
    Dialling dialling(std::move(host), port, options);
    auto stream = co_await dialling.run();
    if (!stream && options.proxy != nullptr) give_up_login(*options.proxy);
    co_return std::move(stream);
}

}  // namespace

void Attempts::fail_current() {
    remember_bad_address(current);
    failed.push_back(current);
}

awaitable<Result<Stream>> dial(std::string host, std::uint16_t port, DialOptions options) {
    auto stream = co_await dial_by_way_of(std::move(host), port, options);
    // Always complete asynchronously, even if nothing was waited for, so that the caller is never
    // re-entered.
    co_await give_way();
    co_return std::move(stream);
}

}  // namespace hpb::net
