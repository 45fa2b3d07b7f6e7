#include "net/dial/dial.hpp"

#include <gmock/gmock.h>

#include "support/loopback.hpp"
#include "support/reached.hpp"

namespace hpb::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class DialTest : public Loopback {
protected:
    /// A proxy that answers the first request with `response` and then echoes, or closes.
    static awaitable<void> proxy_once(net::tcp::acceptor& acceptor, std::string response,
                                      std::string& request) {
        auto stream = co_await accept(acceptor);
        while (request.find("\r\n\r\n") == std::string::npos) {
            const std::string part = co_await read(stream, 1);
            if (part.empty()) co_return;
            request += part;
        }
        (void)co_await write(stream, std::move(response));
        const std::string data = co_await read(stream, 5);
        (void)co_await write(stream, data);
    }

    /// Accepts nobody and has no room for one who waits, so the kernel lets a SYN go unanswered.
    struct FullListener {
        explicit FullListener(net::asio::io_context& context)
            : acceptor(context), first(context), second(context) {
            const net::tcp::endpoint any(net::asio::ip::address_v4::loopback(), 0);
            acceptor.open(any.protocol());
            acceptor.bind(any);
            acceptor.listen(0);
            first.connect(acceptor.local_endpoint());
        }
        [[nodiscard]] std::uint16_t port() const { return acceptor.local_endpoint().port(); }

        net::tcp::acceptor acceptor;
        net::tcp::socket first;
        net::tcp::socket second;
    };

    static awaitable<void> dial_into(std::optional<Result<net::Stream>>& result,
                                     std::uint16_t port) {
        result.emplace(co_await net::dial("127.0.0.1", port, {}));
    }

    awaitable<void> not_at_once();
    awaitable<void> refused();
    awaitable<void> localhost();
    awaitable<void> unanswered();
    awaitable<void> answered_late();
    awaitable<void> silent();
    awaitable<void> through_proxy();
    awaitable<void> proxy_refuses(std::string response, std::string expected,
                                  std::string user = "");
    awaitable<void> refused_login();
    static awaitable<void> count_refusals(net::tcp::acceptor& acceptor, int& tries);
    awaitable<void> dial_through(net::Proxy proxy, std::vector<std::string>& said);
};

awaitable<void> DialTest::refused() {
    std::uint16_t port = 0;
    {
        auto unused = listen();
        port = unused.local_endpoint().port();
    }
    const auto stream = co_await net::dial("127.0.0.1", port, {});
    EXPECT_FALSE(stream.has_value());
    if (!stream) {
        EXPECT_EQ(stream.error().message(),
                  "cannot reach 127.0.0.1:" + std::to_string(port) + ": connection refused");
        EXPECT_EQ(stream.error().code(), net::asio::error::connection_refused);
    }
}

awaitable<void> DialTest::not_at_once() {
    auto acceptor = listen();
    std::optional<Result<net::Stream>> dialled;
    net::spawn(context, dial_into(dialled, acceptor.local_endpoint().port()));
    EXPECT_FALSE(dialled.has_value());
    co_await until([&] { return dialled.has_value(); });
    acceptor.close();
    const auto port = (*dialled)->remote_endpoint().port();
    dialled.reset();
    net::spawn(context, dial_into(dialled, port));
    EXPECT_FALSE(dialled.has_value());
    co_await until([&] { return dialled.has_value(); });
    EXPECT_FALSE(dialled->has_value());
}

TEST_F(DialTest, EndsWhenWhoeverAskedHasGoneOn) {
    run(not_at_once());
}

TEST_F(DialTest, SaysWhoRefused) {
    run(refused());
}

// The name has an IPv6 address too, where nobody listens.
awaitable<void> DialTest::localhost() {
    auto acceptor = listen();
    const auto stream = co_await net::dial("localhost", acceptor.local_endpoint().port(), {});
    EXPECT_TRUE(stream.has_value()) << stream.error().message();
}

TEST_F(DialTest, TriesEveryAddressOfAName) {
    run(localhost());
}

awaitable<void> DialTest::unanswered() {
    const FullListener full(context);
    net::DialOptions options;
    options.timeout = 50ms;
    const Reached late(ops::Limit::late_connections);
    const auto stream = co_await net::dial("127.0.0.1", full.port(), options);
    EXPECT_EQ(late.times(), 1u);
    EXPECT_FALSE(stream.has_value());
    if (!stream) {
        EXPECT_EQ(stream.error().message(),
                  "cannot reach 127.0.0.1:" + std::to_string(full.port()) + ": no answer in time");
    }
}

TEST_F(DialTest, GivesUpOnAnAddressThatDoesNotAnswer) {
    run(unanswered());
}

awaitable<void> DialTest::answered_late() {
    FullListener full(context);
    std::optional<Result<net::Stream>> dialled;
    net::spawn(context, dial_into(dialled, full.port()));
    // The dialler's SYN is lost; the one after it, a second later, finds room.
    co_await net::give_way();
    EXPECT_FALSE(dialled.has_value());
    full.acceptor.accept(full.second);
    auto arrived = co_await accept(full.acceptor);
    co_await until([&] { return dialled.has_value(); });
    EXPECT_TRUE(dialled->has_value());
    if (!*dialled) co_return;
    EXPECT_TRUE(co_await write(**dialled, "hello"));
    EXPECT_EQ(co_await read(arrived, 5), "hello");
}

TEST_F(DialTest, WaitsForAnAddressThatAnswersLate) {
    run(answered_late());
}

awaitable<void> DialTest::silent() {
    auto acceptor = listen();
    const auto tls = net::TlsClientContext::create("", {}).value();
    net::DialOptions options;
    options.tls = &tls;
    options.timeout = 50ms;
    const Reached late(ops::Limit::late_connections);
    const auto stream = co_await net::dial("127.0.0.1", acceptor.local_endpoint().port(), options);
    EXPECT_FALSE(stream.has_value());
    if (!stream) EXPECT_THAT(stream.error().message(), HasSubstr("did not answer in time"));
    EXPECT_EQ(late.times(), 1u);
}

TEST_F(DialTest, GivesUpOnAServerThatNeverAnswersTheHandshake) {
    run(silent());
}

awaitable<void> DialTest::through_proxy() {
    auto acceptor = listen();
    std::string request;
    net::spawn(context.get_executor(), proxy_once(acceptor, "HTTP/1.1 200 OK\r\n\r\n", request));
    net::Proxy proxy{"127.0.0.1", acceptor.local_endpoint().port(), "user", "secret"};
    net::DialOptions options;
    options.proxy = &proxy;
    auto stream = co_await net::dial("relay.example", 8443, options);
    EXPECT_TRUE(stream.has_value());
    if (!stream) co_return;
    EXPECT_THAT(request, HasSubstr("CONNECT relay.example:8443 HTTP/1.1\r\n"));
    EXPECT_THAT(request, HasSubstr("Host: relay.example:8443\r\n"));
    EXPECT_THAT(request, HasSubstr("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"));
    EXPECT_TRUE(co_await write(*stream, "hello"));
    EXPECT_EQ(co_await read(*stream, 5), "hello");
}

TEST_F(DialTest, ConnectsThroughAProxyWithAPassword) {
    run(through_proxy());
}

awaitable<void> DialTest::proxy_refuses(std::string response, std::string expected,
                                        std::string user) {
    auto acceptor = listen();
    std::string request;
    net::spawn(context.get_executor(), proxy_once(acceptor, std::move(response), request));
    net::Proxy proxy{"127.0.0.1", acceptor.local_endpoint().port(), std::move(user), "word"};
    net::DialOptions options;
    options.proxy = &proxy;
    const auto stream = co_await net::dial("relay.example", 8443, options);
    EXPECT_FALSE(stream.has_value());
    if (!stream) EXPECT_THAT(stream.error().message(), HasSubstr(expected));
}

TEST_F(DialTest, SaysWhatAProxyWants) {
    run(proxy_refuses("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
                      "requires a user and password"));
}

TEST_F(DialTest, SaysWhatAProxyRefuses) {
    run(proxy_refuses("HTTP/1.1 403 Forbidden\r\n\r\n",
                      "refused the connection to relay.example:8443: 403 Forbidden"));
}

// F13: what the proxy offers, and whether it has refused what it was given.
TEST_F(DialTest, SaysWhichAuthenticationAProxyOffers) {
    const std::string head = "HTTP/1.1 407 Proxy Authentication Required\r\n";
    run(proxy_refuses(head + "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
                      "offers authentication by Negotiate, NTLM only, and hpb speaks Basic"));
    run(proxy_refuses(head + "Proxy-Authenticate: Digest realm=\"a, b\", nonce=\"x\"\r\n\r\n",
                      "by Digest only", "user-of-digest"));
    run(proxy_refuses(head + "Proxy-Authenticate: Negotiate, Basic realm=\"x\"\r\n\r\n",
                      "refused the user or password", "user-of-basic"));
    run(proxy_refuses(head + "Proxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
                      "requires a user and password"));
}

// F16: a login page or a policy.
TEST_F(DialTest, SaysWhereAProxySendsOneInstead) {
    run(proxy_refuses("HTTP/1.1 302 Found\r\nLocation: https://login.hotel.test/a?b=secret\r\n\r\n",
                      "302 Found, to login.hotel.test (a captive portal or a policy)"));
    run(proxy_refuses(
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 27\r\n\r\n<h1>Blocked by policy</h1>\r\n",
        "403 Forbidden, \"Blocked by policy\" (a captive portal or a policy)"));
}

// F14, F15: answers that others take.
TEST_F(DialTest, TakesInterimAnswersOfAProxyAndShortStatusLines) {
    run(proxy_refuses("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404\n\n",
                      "refused the connection to relay.example:8443: 404"));
}

awaitable<void> DialTest::count_refusals(net::tcp::acceptor& acceptor, int& tries) {
    for (;;) {
        auto [error, socket] = co_await acceptor.async_accept(net::kAsTuple);
        if (error) co_return;
        net::Stream stream(std::move(socket));
        std::string request;
        while (request.find("\r\n\r\n") == std::string::npos) {
            const std::string part = co_await read(stream, 1);
            if (part.empty()) break;
            request += part;
        }
        ++tries;
        (void)co_await write(stream,
                             "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n");
    }
}

awaitable<void> DialTest::dial_through(net::Proxy proxy, std::vector<std::string>& said) {
    net::DialOptions options;
    options.proxy = &proxy;
    const auto stream = co_await net::dial("relay.example", 8443, options);
    said.push_back(stream ? "connected" : stream.error().message());
}

awaitable<void> DialTest::refused_login() {
    auto acceptor = listen();
    int tries = 0;
    net::spawn(context.get_executor(), count_refusals(acceptor, tries));
    std::vector<std::string> said;
    net::Proxy proxy{"127.0.0.1", acceptor.local_endpoint().port(), "user", "wrong"};
    const Reached not_tried(ops::Limit::refused_logins);
    for (int i = 0; i < 20; ++i) net::spawn(context.get_executor(), dial_through(proxy, said));
    co_await until([&] { return said.size() == 20; });
    EXPECT_EQ(tries, 1);
    EXPECT_EQ(not_tried.times(), 19u);
    EXPECT_THAT(said, testing::Each(HasSubstr("refused the user or password")));
    EXPECT_THAT(said.back(), HasSubstr("tried again in 1"));
    proxy.password = "other";
    co_await dial_through(proxy, said);
    EXPECT_EQ(tries, 2) << "another password is tried at once";
    acceptor.close();
}

// F13: a directory locks an account after a few failures.
TEST_F(DialTest, DoesNotTryARefusedPasswordAgain) {
    run(refused_login());
}

TEST_F(DialTest, AProxyThatSpeaksSomethingElseIsAnError) {
    run(proxy_refuses("SSH-2.0-OpenSSH_9.2\r\n\r\n", "proxy 127.0.0.1:"));
}

}  // namespace
}  // namespace hpb::test
