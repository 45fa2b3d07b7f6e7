#include "net/dial.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "crypto/crypto.hpp"
#include "http/message.hpp"
#include "net/signal.hpp"
#include "net/slab.hpp"
#include "net/tls_failure.hpp"

namespace hpb::net {
namespace {

/// RFC 8305 section 5, "Connection Attempt Delay".
constexpr std::chrono::milliseconds kAttemptDelay{250};
/// Addresses of one name that are tried; a name with more is misconfigured.
constexpr std::size_t kMaxAddresses = 16;
constexpr std::size_t kMaxProxyHead = 16 * 1024;

error_code system_error_now() {
    return {errno, boost::system::system_category()};
}

/// Begins a connection attempt, or tells how the one that was begun stands.
error_code connect(int descriptor, const tcp::endpoint& address) {
    if (::connect(descriptor, address.data(), static_cast<socklen_t>(address.size())) == 0)
        return {};
    return system_error_now();
}

/// A connection that was begun, and is there already unless `pending`.
struct Attempt {
    tcp::socket socket;
    bool pending;
};

Result<Attempt> begin(const asio::any_io_executor& executor, const tcp::endpoint& address) {
    const int descriptor = ::socket(address.protocol().family(),
                                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (descriptor < 0) return Error(system_error_now());
    error_code error = connect(descriptor, address);
    // Between neighbours the handshake is over when the call that began it returns: asking a second
    // time tells, and there is nothing to wait for.
    if (error == asio::error::in_progress) error = connect(descriptor, address);
    Attempt attempt{tcp::socket(executor), error == asio::error::already_started};
    if (attempt.pending) error.clear();
    if (!error) attempt.socket.assign(address.protocol(), descriptor, error);
    if (!error) return attempt;
    ::close(descriptor);
    return Error(error);
}

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
                               // The reactor may have woken us for nothing.
                               if (failed == asio::error::already_started)
                                   return self->wait_for(socket, address);
                               self->on_outcome(*socket, failed);
                           });
    }

    void on_outcome(tcp::socket& socket, error_code failed) {
        --running;
        if (!failed && !winner && !over) {
            winner = std::move(socket);
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
    std::optional<tcp::socket> winner;
    std::size_t running = 0;
    bool over = false;
    error_code last_error;
};

// Alternates between the families, beginning with the resolver's first choice (RFC 8305 section 4).
std::vector<tcp::endpoint> interleave(const tcp::resolver::results_type& found) {
    std::vector<tcp::endpoint> first;
    std::vector<tcp::endpoint> second;
    for (const auto& entry : found) {
        const auto address = entry.endpoint();
        const bool same = first.empty() || first.front().protocol() == address.protocol();
        (same ? first : second).push_back(address);
    }
    std::vector<tcp::endpoint> order;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) order.push_back(first[i]);
        if (i < second.size()) order.push_back(second[i]);
    }
    order.resize(std::min(order.size(), kMaxAddresses));
    return order;
}

/// @return what to try, in this order.
awaitable<Result<std::vector<tcp::endpoint>>> resolve(std::string host, std::uint16_t port,
                                                      Clock::time_point deadline) {
    error_code is_a_name;
    const auto literal = asio::ip::make_address(host, is_a_name);
    if (!is_a_name) co_return std::vector<tcp::endpoint>{{literal, port}};
    // The resolver's thread cannot be interrupted, so the answer is waited for apart from it.
    struct Lookup {
        explicit Lookup(const asio::any_io_executor& e) : resolver(e), done(e) {}
        tcp::resolver resolver;
        Signal done;
        bool finished = false;
        error_code error;
        tcp::resolver::results_type results;
    };
    const auto executor = co_await asio::this_coro::executor;
    const auto lookup = std::make_shared<Lookup>(executor);
    lookup->resolver.async_resolve(host, std::to_string(port), tcp::resolver::numeric_service,
                                   [lookup](error_code error, tcp::resolver::results_type results) {
                                       lookup->finished = true;
                                       lookup->error = error;
                                       lookup->results = std::move(results);
                                       lookup->done.notify_all();
                                   });
    while (!lookup->finished && Clock::now() < deadline)
        (void)co_await lookup->done.wait_until(deadline);
    if (!lookup->finished) {
        lookup->resolver.cancel();
        co_return Error(errc::timed_out,
                        "the name " + host + " could not be resolved in time; check DNS");
    }
    if (lookup->error) {
        co_return Error(lookup->error, "the name " + host + " cannot be resolved (" +
                                           lookup->error.message() + ")");
    }
    co_return interleave(lookup->results);
}

// The addresses one after the other, each with a head start, until one answers.
awaitable<Result<tcp::socket>> connect_first(std::vector<tcp::endpoint> addresses,
                                             Clock::time_point deadline) {
    const auto executor = co_await asio::this_coro::executor;
    std::shared_ptr<Race> race;  // where nothing is pending there is none
    error_code last_error = make_error_code(errc::timed_out);
    for (std::size_t next = 0; !(race && race->winner) && Clock::now() < deadline;) {
        if (next < addresses.size()) {
            const auto& address = addresses[next++];
            auto attempt = begin(executor, address);
            if (!attempt) {
                last_error = attempt.error().code();
                continue;
            }
            if (!attempt->pending) {
                if (race) race->cancel();
                co_return std::move(attempt->socket);
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

awaitable<Result<tcp::socket>> connect_tcp(std::string host, std::uint16_t port,
                                           Clock::time_point deadline) {
    auto found = co_await resolve(host, port, deadline);
    if (!found) co_return found.error().with_context("cannot reach " + host_port(host, port));
    auto socket = co_await connect_first(std::move(*found), deadline);
    if (socket) co_return socket;
    const auto code = socket.error().code();
    const std::string why =
        code == make_error_code(errc::timed_out) ? "no answer in time" : to_lower(code.message());
    co_return Error(code, "cannot reach " + host_port(host, port) + ": " + why);
}

awaitable<Result<void>> connect_through(Stream& stream, const Proxy& proxy, std::string where) {
    http::RequestHead request;
    request.method = "CONNECT";
    request.target = where;
    request.headers.add("Host", where);
    if (!proxy.user.empty()) {
        const std::string login = proxy.user + ":" + proxy.password;
        request.headers.add("Proxy-Authorization",
                            "Basic " + crypto::base64_encode(as_bytes(login)));
    }
    const std::string context = "proxy " + host_port(proxy.host, proxy.port);
    const std::string head = http::serialize(request);
    const auto sent = co_await stream.write(as_bytes(head));
    if (!sent) co_return sent.error().with_context(context);

    http::ResponseParser parser(http::ResponseParser::Body::none, kMaxProxyHead, 0);
    // Byte by byte is not needed: nothing may follow the head before we speak.
    Slab slab = Slab::take();
    while (!parser.done()) {
        const auto read = co_await stream.read_some(slab.span());
        if (!read) co_return read.error().with_context(context);
        if (*read == 0)
            co_return Error(asio::error::eof,
                            context + ": closed the connection without an answer");
        const auto taken = parser.put(slab.span().first(*read));
        if (!taken) co_return taken.error().with_context(context);
    }
    const auto answer = parser.take_head();
    if (answer.status / 100 == 2) co_return Result<void>();
    const std::string status = std::to_string(answer.status) + " " + printable(answer.reason);
    if (answer.status == 407) {
        co_return Error(errc::not_permitted,
                        context + " wants a user and password (" + status +
                            "); put them into the proxy's URL: http://user:password@host:port");
    }
    co_return Error(errc::not_permitted,
                    context + " refused the connection to " + where + ": " + status);
}

}  // namespace

std::string host_port(const std::string& host, std::uint16_t port) {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

awaitable<Result<Stream>> dial(std::string host, std::uint16_t port, DialOptions options) {
    const auto deadline = Clock::now() + options.timeout;
    const Proxy* const proxy = options.proxy;
    auto socket = co_await connect_tcp(proxy != nullptr ? proxy->host : host,
                                       proxy != nullptr ? proxy->port : port, deadline);
    // Also where nothing was waited for, the one who asked has gone on before it hears of it.
    co_await give_way();
    if (!socket) co_return socket.error();

    Stream stream(std::move(*socket));
    stream.set_options();
    // Nothing more to wait for: a target's connection needs no timer of its own.
    if (options.proxy == nullptr && options.tls == nullptr) co_return std::move(stream);
    const std::string where = host_port(host, port);
    std::optional<Error> failure;
    {
        Deadline limit(stream, deadline - Clock::now());
        if (options.proxy != nullptr) {
            const auto through = co_await connect_through(stream, *options.proxy, where);
            if (!through) failure = through.error();
        }
        if (!failure && options.tls != nullptr) {
            SslPtr ssl = options.tls->make(host);
            const auto secured = co_await stream.handshake(std::move(ssl));
            if (!secured) failure = explain_handshake_failure(stream.ssl(), where, secured.error());
        }
        if (failure && limit.expired())
            failure = Error(errc::timed_out, where + " did not answer in time");
    }
    if (failure) co_return *failure;
    co_return std::move(stream);
}

}  // namespace hpb::net
