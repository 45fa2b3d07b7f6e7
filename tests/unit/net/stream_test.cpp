#include "net/stream.hpp"

#include <gmock/gmock.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <thread>

#include "net/signal.hpp"
#include "net/socket_options.hpp"
#include "net/tls/context.hpp"
#include "net/tls/failure.hpp"
#include "net/tls/throwaway_certificate.hpp"
#include "support/loopback.hpp"

namespace hpb::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class StreamTest : public Loopback {
protected:
    StreamTest()
        : certificate(net::make_throwaway_certificate()),
          server(net::TlsServerContext::from_pem(certificate.certificate, certificate.key,
                                                 net::decide_tls({}).policy)
                     .value()),
          client(
              net::TlsClientContext::from_pem(certificate.certificate, net::decide_tls({}).policy)
                  .value()) {}

    /// Both handshakes; the client's outcome in words, "" for success.
    awaitable<std::string> secure(net::Stream& ours, net::Stream& theirs,
                                  const net::TlsClientContext& trust, std::string host) {
        bool accepted = false;
        net::Signal ended(context.get_executor());
        net::spawn(context.get_executor(), accept_tls(theirs, server.make(), accepted, ended));
        net::PendingTls tls = trust.make(host);
        const auto done = co_await net::secure(ours, tls);
        // An end is not to be read from before its own handshake is over.
        while (!accepted) co_await ended.wait();
        if (done) co_return "";
        co_return net::explain_handshake_failure(tls.ssl.get(), host, done.error()).message();
    }

    static awaitable<void> accept_tls(net::Stream& stream, net::PendingTls tls, bool& accepted,
                                      net::Signal& ended) {
        (void)co_await net::secure(stream, tls);
        accepted = true;
        ended.notify_all();
    }

    static awaitable<void> write_and_end(net::Stream& stream, std::string data) {
        (void)co_await write(stream, std::move(data));
        stream.shutdown_send();
    }

    awaitable<void> carries(std::size_t size);
    awaitable<void> explains(std::string host, const net::TlsClientContext& trust,
                             std::string expected);
    awaitable<void> plain_server();
    awaitable<void> forged_record_of_tls_1_2();
    awaitable<void> no_ssl();
    awaitable<void> deadline();
    awaitable<void> moves_between_threads();
    awaitable<void> reset();

    net::CertificateAndKey certificate;
    net::TlsServerContext server;
    net::TlsClientContext client;
};

awaitable<void> StreamTest::carries(std::size_t size) {
    auto [ours, theirs] = connected_pair();
    EXPECT_EQ(co_await secure(ours, theirs, client, "localhost"), "");
    const std::string data = pattern(size, 3);
    net::spawn(context.get_executor(), write_and_end(ours, data));
    // The end of stream stands behind the last byte.
    const std::string got = co_await read(theirs, size + 1);
    EXPECT_EQ(got.size(), size);
    EXPECT_TRUE(got == data);
}

TEST_F(StreamTest, CarriesMoreThanTheKernelHoldsOverTls) {
    run(carries(8 << 20));
}

awaitable<void> StreamTest::explains(std::string host, const net::TlsClientContext& trust,
                                     std::string expected) {
    auto [ours, theirs] = connected_pair();
    EXPECT_THAT(co_await secure(ours, theirs, trust, host), HasSubstr(expected));
}

TEST_F(StreamTest, AcceptsEveryNameOfTheCertificate) {
    for (const auto* host : {"localhost", "127.0.0.1", "::1"}) run(explains(host, client, ""));
}

TEST_F(StreamTest, SaysWhichNamesAWrongCertificateHas) {
    run(explains("relay.example", client, "is for localhost, IP 127.0.0.1"));
}

TEST_F(StreamTest, SaysThatTheCaIsNotTrusted) {
    const auto other = net::make_throwaway_certificate();
    const auto trust = net::TlsClientContext::from_pem(other.certificate, {}).value();
    run(explains("localhost", trust, "not signed by a trusted CA"));
}

awaitable<void> StreamTest::plain_server() {
    auto [ours, theirs] = connected_pair();
    net::spawn(context.get_executor(), write_and_end(theirs, "HTTP/1.1 400 Bad Request\r\n\r\n"));
    net::PendingTls tls = client.make("localhost");
    const auto done = co_await net::secure(ours, tls);
    EXPECT_FALSE(done.has_value());
    if (!done) {
        EXPECT_THAT(
            net::explain_handshake_failure(tls.ssl.get(), "localhost:80", done.error()).message(),
            HasSubstr("does not speak TLS"));
    }
}

TEST_F(StreamTest, SaysThatTheOtherEndSpeaksNoTls) {
    run(plain_server());
}

// S9: TLS 1.2 goes through OpenSSL, whose answer to a second try is not an error.
awaitable<void> StreamTest::forged_record_of_tls_1_2() {
    auto [ours, theirs] = connected_pair();
    bool accepted = false;
    net::Signal ended(context.get_executor());
    net::spawn(context.get_executor(), accept_tls(theirs, server.make(), accepted, ended));
    net::PendingTls tls = client.make("localhost");
    SSL_set_max_proto_version(tls.ssl.get(), TLS1_2_VERSION);
    EXPECT_TRUE(co_await net::secure(ours, tls));
    while (!accepted) co_await ended.wait();
    // A record that nobody has sealed, then one that was.
    std::string forged("\x17\x03\x03\x00\x20", 5);
    forged += std::string(32, 'x');
    EXPECT_EQ(::send(ours.descriptor(), forged.data(), forged.size(), 0), 37);
    EXPECT_TRUE(co_await write(ours, "too late"));
    for (int i = 0; i < 3; ++i) {
        std::array<std::byte, 100> into{};
        const auto n = co_await theirs.read_some(into);
        EXPECT_FALSE(n) << *n << " bytes after a forged record";
        if (!n) EXPECT_THAT(n.error().message(), HasSubstr("TLS: ")) << i;
    }
    EXPECT_FALSE(theirs.try_write(as_bytes("more")));
}

TEST_F(StreamTest, AForgedRecordOfTls12IsFinal) {
    run(forged_record_of_tls_1_2());
}

// S10: SSL_new() may fail; what follows is an error, and never plain text.
awaitable<void> StreamTest::no_ssl() {
    auto [ours, theirs] = connected_pair();
    net::PendingTls tls;
    const auto done = co_await net::secure(ours, tls);
    EXPECT_FALSE(done.has_value());
    EXPECT_FALSE(ours.try_write(as_bytes("secret")));
    if (!done) {
        EXPECT_THAT(net::explain_handshake_failure(nullptr, "here", done.error()).message(),
                    HasSubstr("OpenSSL cannot make"));
    }
}

TEST_F(StreamTest, WithoutAnSslObjectNothingIsSent) {
    run(no_ssl());
    EXPECT_EQ(client.make("").ssl, nullptr) << "a connection whose certificate nobody checks";
}

awaitable<void> StreamTest::deadline() {
    auto [ours, theirs] = connected_pair();
    net::Deadline limit(ours, 20ms);
    EXPECT_EQ(co_await read(ours, 1), "");
    EXPECT_TRUE(limit.expired());
    EXPECT_EQ(co_await read(theirs, 1), "");
}

TEST_F(StreamTest, ADeadlineEndsAWaitAndTheOtherEndSeesIt) {
    run(deadline());
}

// What a listening socket was told holds for what it accepts, and saves five calls for each.
TEST_F(StreamTest, AcceptedConnectionsHaveTheOptionsOfTheirListener) {
    auto acceptor = listen();
    net::set_inherited_options(acceptor.native_handle());
    net::tcp::socket dialled(context);
    dialled.connect(acceptor.local_endpoint());
    net::tcp::socket accepted(context);
    acceptor.accept(accepted);
    net::Stream stream(std::move(accepted));
    net::spread_keep_alive(stream.descriptor());
    const auto option = [&](int level, int name) {
        int value = -1;
        socklen_t size = sizeof value;
        (void)::getsockopt(stream.descriptor(), level, name, &value, &size);
        return value;
    };
    EXPECT_EQ(option(IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPINTVL), 10);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPCNT), 3);
    EXPECT_GE(option(IPPROTO_TCP, TCP_KEEPIDLE), 30);
    EXPECT_LE(option(IPPROTO_TCP, TCP_KEEPIDLE), 60);
}

awaitable<void> StreamTest::moves_between_threads() {
    auto [ours, theirs] = connected_pair();
    EXPECT_EQ(co_await secure(ours, theirs, client, "localhost"), "");
    net::Stream::Detached connection = theirs.detach();
    std::string got;
    std::thread other([&] {
        net::asio::io_context there{1};
        net::asio::co_spawn(
            there,
            [](net::asio::io_context& c, net::Stream::Detached moved,
               std::string& out) -> awaitable<void> {
                net::Stream stream = net::Stream::attach(c.get_executor(), std::move(moved));
                out = co_await read(stream, 5);
                (void)co_await write(stream, "there");
            }(there, std::move(connection), got),
            net::asio::detached);
        there.run_for(10s);
    });
    EXPECT_TRUE(co_await write(ours, "hello"));
    EXPECT_EQ(co_await read(ours, 5), "there");
    other.join();
    EXPECT_EQ(got, "hello");
}

TEST_F(StreamTest, AConnectionGoesOnOnAnotherThread) {
    run(moves_between_threads());
}

awaitable<void> StreamTest::reset() {
    auto [ours, theirs] = connected_pair();
    {
        net::Stream ending = std::move(ours);
        ending.reset_on_close();
    }
    EXPECT_EQ(co_await read(theirs, 1), "<reset>");
}

TEST_F(StreamTest, AResetIsNotAnEndOfStream) {
    run(reset());
}

TEST(TlsContext, SaysWhatIsWrongWithAFile) {
    const auto missing =
        net::TlsServerContext::from_files("/nowhere/relay.crt", "/nowhere/relay.key", {});
    ASSERT_FALSE(missing.has_value());
    EXPECT_THAT(missing.error().message(), HasSubstr("/nowhere/relay.crt"));
    const auto a = net::make_throwaway_certificate();
    const auto b = net::make_throwaway_certificate();
    EXPECT_THAT(net::TlsServerContext::from_pem("no PEM", a.key, {}).error().message(),
                HasSubstr("no certificate"));
    EXPECT_THAT(net::TlsServerContext::from_pem(a.certificate, "no PEM", {}).error().message(),
                HasSubstr("no private key"));
    EXPECT_THAT(net::TlsServerContext::from_pem(a.certificate, b.key, {}).error().message(),
                HasSubstr("not the key"));
    EXPECT_THAT(net::TlsClientContext::from_pem("", {}).error().message(),
                HasSubstr("no CA certificate"));
}

}  // namespace
}  // namespace hpb::test
