#include "faults/link.hpp"

#include <gmock/gmock.h>

#include "faults/controller.hpp"
#include "support/loopback.hpp"

namespace hpb::test {
namespace {

using namespace std::chrono_literals;
using faults::Clock;
using testing::HasSubstr;
using testing::StartsWith;

/// One link between a client and a target of the test's own.
class LinkTest : public Loopback {
protected:
    /// @param settings  such as ",delay=20ms"
    void open(const std::string& settings = "") {
        const auto port = acceptor.local_endpoint().port();
        auto options =
            faults::parse_link("db=127.0.0.1:0,127.0.0.1:" + std::to_string(port) + settings);
        link = std::make_shared<faults::Link>(context, std::move(*options));
        ASSERT_TRUE(link->open());
        controller = std::make_shared<faults::Controller>(std::vector{link});
    }
    void run(awaitable<void> test) { Loopback::run(closing(std::move(test))); }
    awaitable<void> closing(awaitable<void> test) {
        co_await std::move(test);
        link->close();
        acceptor.close();
    }
    net::Stream client() {
        net::tcp::socket socket(context);
        socket.connect(link->endpoint());
        return net::Stream(std::move(socket));
    }
    awaitable<std::pair<net::Stream, net::Stream>> pair() {
        auto ours = client();
        auto theirs = co_await accept(acceptor);
        co_return std::pair{std::move(ours), std::move(theirs)};
    }
    std::string tell(const std::string& line) {
        const auto done = link->apply(faults::parse_command(line).value().action);
        return done ? *done : done.error().message();
    }
    awaitable<void> until_stats(std::string part) {
        co_await until([this, part] { return tell("stats").find(part) != std::string::npos; });
    }
    static awaitable<void> send_all(net::Stream& stream, std::string data, bool end) {
        (void)co_await write(stream, std::move(data));
        if (end) stream.shutdown_send();
    }
    awaitable<void> carries(std::size_t size);
    awaitable<void> delays();
    awaitable<void> throttles();
    awaitable<void> holds_no_more_than_its_buffer();
    awaitable<void> passes_a_reset();
    awaitable<void> passes_what_came_before_a_reset();
    awaitable<void> passes_a_refusal();
    awaitable<void> stalls();
    awaitable<void> swallows();
    awaitable<void> spares_idle_connections();
    awaitable<void> swallows_new_connections();
    awaitable<void> resets();
    awaitable<void> cuts();
    awaitable<void> truncates(std::string way);
    awaitable<void> refuses();
    awaitable<void> undoes_after_a_while();
    awaitable<void> is_commanded_by_line();
    awaitable<void> plays_a_script();

    net::tcp::acceptor acceptor = listen();
    std::shared_ptr<faults::Link> link;
    std::shared_ptr<const faults::Controller> controller;
};

awaitable<void> LinkTest::carries(std::size_t size) {
    auto [ours, theirs] = co_await pair();
    const std::string there = pattern(size, 1);
    const std::string back = pattern(size, 2);
    net::spawn(context, send_all(ours, there, true));
    const std::string arrived = co_await read(theirs, size + 1);
    EXPECT_EQ(arrived, there);
    // The other direction is still open: a half-close is one.
    net::spawn(context, send_all(theirs, back, true));
    const std::string returned = co_await read(ours, size + 1);
    EXPECT_EQ(returned, back);
    co_await until_stats("open=0");
    EXPECT_THAT(tell("stats"), HasSubstr("to-client=" + std::to_string(size)));
}

TEST_F(LinkTest, CarriesBothWaysAndHalfCloses) {
    open();
    run(carries(3'000'000));
}

TEST_F(LinkTest, CarriesOverALongThinPath) {
    open(",delay=5ms,rate=400mbit,buffer=64KiB");
    run(carries(500'000));
}

awaitable<void> LinkTest::delays() {
    const auto start = Clock::now();
    auto [ours, theirs] = co_await pair();
    EXPECT_GE(Clock::now() - start, 20ms) << "the target hears of it after one delay";
    EXPECT_TRUE(co_await write(ours, "x"));
    EXPECT_EQ(co_await read(theirs, 1), "x");
    EXPECT_GE(Clock::now() - start, 50ms + 20ms) << "a round trip for the handshake, then a delay";
    const auto answered = Clock::now();
    EXPECT_TRUE(co_await write(theirs, "y"));
    EXPECT_EQ(co_await read(ours, 1), "y");
    EXPECT_GE(Clock::now() - answered, 30ms);
    tell("set db delay=0");
    EXPECT_TRUE(co_await write(ours, "z"));
    EXPECT_EQ(co_await read(theirs, 1), "z");
}

TEST_F(LinkTest, DelaysTheHandshakeAndEachDirection) {
    open(",to-target.delay=20ms,to-client.delay=30ms");
    run(delays());
}

awaitable<void> LinkTest::throttles() {
    auto [ours, theirs] = co_await pair();
    const std::string data = pattern(200'000, 1);
    const auto start = Clock::now();
    net::spawn(context, send_all(ours, data, true));
    EXPECT_EQ(co_await read(theirs, data.size() + 1), data);
    EXPECT_GE(Clock::now() - start, 99ms);
}

TEST_F(LinkTest, Throttles) {
    open(",rate=16mbit");
    run(throttles());
}

awaitable<void> LinkTest::holds_no_more_than_its_buffer() {
    auto [ours, theirs] = co_await pair();
    const std::string data = pattern(64 << 20, 1);
    net::spawn(context, send_all(ours, data, false));
    // The sender gets stuck: the target does not read, the link and the kernel hold what they may.
    std::string before;
    for (int same = 0; same < 20;) {
        co_await until([turns = 0]() mutable { return ++turns > 10; });
        const auto now = tell("stats");
        same = now == before ? same + 1 : 0;
        before = now;
    }
    EXPECT_THAT(before, Not(HasSubstr("to-target=" + std::to_string(data.size()))));
    ours.reset_on_close();
    ours.close();
    // What does not fit into the target's socket is lost, and the reset still reaches it.
    co_await until_stats("open=0");
    EXPECT_THAT(co_await read(theirs, data.size()), testing::EndsWith("<reset>"));
}

TEST_F(LinkTest, HoldsNoMoreThanItsBufferAndStillHearsAReset) {
    open(",buffer=64KiB");
    run(holds_no_more_than_its_buffer());
}

awaitable<void> LinkTest::passes_a_reset() {
    auto [ours, theirs] = co_await pair();
    theirs.reset_on_close();
    theirs.close();
    EXPECT_EQ(co_await read(ours, 1), "<reset>");
    co_await until_stats("open=0");
}

TEST_F(LinkTest, AResetIsAReset) {
    open();
    run(passes_a_reset());
}

awaitable<void> LinkTest::passes_what_came_before_a_reset() {
    auto [ours, theirs] = co_await pair();
    EXPECT_TRUE(co_await write(ours, "last words"));
    ours.reset_on_close();
    ours.close();
    EXPECT_EQ(co_await read(theirs, 100), "last words<reset>");
}

TEST_F(LinkTest, WhatCameBeforeAResetArrives) {
    open(",delay=5ms");
    run(passes_what_came_before_a_reset());
}

awaitable<void> LinkTest::passes_a_refusal() {
    acceptor.close();
    auto ours = client();
    const auto start = Clock::now();
    EXPECT_EQ(co_await read(ours, 1), "<reset>");
    EXPECT_GE(Clock::now() - start, 38ms) << "a round trip";
    EXPECT_THAT(tell("stats"), HasSubstr("unreached=1"));
}

TEST_F(LinkTest, ARefusedTargetIsAResetAfterARoundTrip) {
    open(",delay=20ms");
    run(passes_a_refusal());
}

awaitable<void> LinkTest::stalls() {
    auto [ours, theirs] = co_await pair();
    EXPECT_TRUE(co_await write(ours, "a"));
    EXPECT_EQ(co_await read(theirs, 1), "a");
    tell("stall db");
    EXPECT_TRUE(co_await write(ours, "b"));
    ours.shutdown_send();
    for (int turn = 0; turn < 50; ++turn) {
        co_await until([turns = 0]() mutable { return ++turns > 1; });
        std::array<std::byte, 1> byte;
        EXPECT_EQ(theirs.try_read(byte).error().code(), net::asio::error::would_block);
    }
    EXPECT_THAT(tell("stats"), HasSubstr("mode=stalled"));
    tell("resume db");
    EXPECT_EQ(co_await read(theirs, 2), "b");
}

TEST_F(LinkTest, StallsAndGoesOnWithoutLoss) {
    open();
    run(stalls());
}

awaitable<void> LinkTest::swallows() {
    auto [ours, theirs] = co_await pair();
    EXPECT_TRUE(co_await write(ours, "a"));
    EXPECT_EQ(co_await read(theirs, 1), "a");
    tell("blackhole db");
    EXPECT_TRUE(co_await write(ours, "lost"));
    EXPECT_TRUE(co_await write(theirs, "also lost"));
    theirs.shutdown_send();
    co_await until_stats("swallowed=13");
    EXPECT_THAT(tell("stats"), HasSubstr("open=1"));
    std::array<std::byte, 1> byte;
    EXPECT_EQ(ours.try_read(byte).error().code(), net::asio::error::would_block);
    tell("resume db");
    EXPECT_EQ(co_await read(ours, 1), "<reset>") << "a stream with a hole must not go on";
    EXPECT_EQ(co_await read(theirs, 1), "<reset>");
}

TEST_F(LinkTest, ABlackHoleKeepsConnectionsOpenAndSwallows) {
    open();
    run(swallows());
}

awaitable<void> LinkTest::spares_idle_connections() {
    auto [ours, theirs] = co_await pair();
    EXPECT_TRUE(co_await write(ours, "a"));
    EXPECT_EQ(co_await read(theirs, 1), "a");
    tell("blackhole db");
    tell("resume db");
    EXPECT_TRUE(co_await write(ours, "b"));
    EXPECT_EQ(co_await read(theirs, 1), "b");
}

TEST_F(LinkTest, ABlackHoleSparesWhoSaidNothing) {
    open();
    run(spares_idle_connections());
}

awaitable<void> LinkTest::swallows_new_connections() {
    tell("blackhole db");
    auto ours = client();
    EXPECT_TRUE(co_await write(ours, "hello?"));
    co_await until_stats("swallowed=6");
    tell("resume db");
    EXPECT_EQ(co_await read(ours, 1), "<reset>");
    auto gone = client();
    tell("blackhole db");
    co_await until_stats("accepted=2");
    gone.shutdown_send();
    co_await until_stats("open=0");
}

TEST_F(LinkTest, ABlackHoleSwallowsNewConnections) {
    open();
    run(swallows_new_connections());
}

awaitable<void> LinkTest::resets() {
    auto [ours, theirs] = co_await pair();
    tell("stall db");
    tell("reset db");
    EXPECT_EQ(co_await read(ours, 1), "<reset>");
    EXPECT_EQ(co_await read(theirs, 1), "<reset>");
    EXPECT_THAT(tell("stats"), HasSubstr("open=0"));
}

TEST_F(LinkTest, ResetsEvenWhatIsStalled) {
    open();
    run(resets());
}

awaitable<void> LinkTest::cuts() {
    auto [ours, theirs] = co_await pair();
    tell("stall db");
    EXPECT_TRUE(co_await write(ours, "never arrives"));
    tell("cut db");
    EXPECT_EQ(co_await read(ours, 1), "");
    EXPECT_EQ(co_await read(theirs, 1), "");
    ours.shutdown_send();
    theirs.shutdown_send();
    co_await until_stats("open=0");
}

TEST_F(LinkTest, CutsWithACleanEnd) {
    open();
    run(cuts());
}

awaitable<void> LinkTest::truncates(std::string way) {
    auto [ours, theirs] = co_await pair();
    auto& sender = way == "to-target" ? ours : theirs;
    auto& receiver = way == "to-target" ? theirs : ours;
    const std::string data = pattern(300'000, 5);
    tell("truncate db 123457 " + way);
    net::spawn(context, send_all(sender, data, true));
    EXPECT_EQ(co_await read(receiver, data.size()), data.substr(0, 123457) + "<reset>");
    co_await until_stats("open=0");
}

TEST_F(LinkTest, TruncatesToTheByte) {
    open();
    run(truncates("to-target"));
}

TEST_F(LinkTest, TruncatesTheWayBack) {
    open(",delay=2ms");
    run(truncates("to-client"));
}

awaitable<void> LinkTest::refuses() {
    auto [ours, theirs] = co_await pair();
    tell("refuse db");
    net::tcp::socket socket(context);
    net::error_code error;
    (void)socket.connect(link->endpoint(), error);
    EXPECT_EQ(error, net::asio::error::connection_refused);
    EXPECT_TRUE(co_await write(ours, "still here"));
    EXPECT_EQ(co_await read(theirs, 10), "still here");
    EXPECT_EQ(tell("accept db"), "");
    EXPECT_EQ(tell("accept db"), "");
    auto [more, target] = co_await pair();
    EXPECT_TRUE(co_await write(more, "x"));
    EXPECT_EQ(co_await read(target, 1), "x");
}

TEST_F(LinkTest, RefusesAndAcceptsAgainOnTheSamePort) {
    open();
    run(refuses());
}

awaitable<void> LinkTest::undoes_after_a_while() {
    auto [ours, theirs] = co_await pair();
    tell("stall db 20ms");
    tell("refuse db 20ms");
    EXPECT_TRUE(co_await write(ours, "x"));
    EXPECT_EQ(co_await read(theirs, 1), "x");
    co_await until_stats("listening=yes");
    EXPECT_THAT(tell("stats"), HasSubstr("mode=flowing"));
    // A later fault is not ended by an earlier one's time.
    tell("stall db 1ms");
    tell("blackhole db");
    co_await until([turns = 0]() mutable { return ++turns > 10; });
    EXPECT_THAT(tell("stats"), HasSubstr("mode=blackholed"));
}

TEST_F(LinkTest, UndoesAfterAWhile) {
    open();
    run(undoes_after_a_while());
}

awaitable<void> LinkTest::is_commanded_by_line() {
    const auto control =
        net::Acceptor::listen(
            context.get_executor(),
            net::Endpoint(net::tcp::endpoint(net::asio::ip::address_v4::loopback(), 0)), {})
            .value();
    const auto where = control->local_endpoint();
    faults::Controller::serve_all(controller, *control);
    net::tcp::socket socket(context);
    socket.connect(where);
    net::Stream ours(std::move(socket));
    EXPECT_TRUE(co_await write(ours, "stall db\nstats *\n\nreset xy\nnonsense\n"));
    std::string replies;
    while (std::ranges::count(replies, '\n') < 4) {
        const auto part = co_await read(ours, 1);
        if (part.size() != 1) break;
        replies += part;
    }
    EXPECT_THAT(replies, StartsWith("ok\nok link=db mode=stalled "));
    EXPECT_THAT(replies, HasSubstr("\nerror there is no link 'xy'; there are *, db\n"));
    EXPECT_THAT(replies, HasSubstr("\nerror there is no command 'nonsense'"));
    context.stop();  // the control port has no end
}

TEST_F(LinkTest, IsCommandedByLine) {
    open();
    bool done = false;
    net::asio::co_spawn(context, is_commanded_by_line(),
                        [&](const std::exception_ptr& error) { done = error == nullptr; });
    context.run_for(20s);
    EXPECT_TRUE(done);
}

awaitable<void> LinkTest::plays_a_script() {
    auto [ours, theirs] = co_await pair();
    auto lines = faults::parse_script("at 1ms stall 1s\nat 5ms on db reset\n", {"db"});
    testing::internal::CaptureStdout();
    co_await faults::Controller::play(controller, faults::ScriptRun(std::move(*lines), 1, {"db"}));
    EXPECT_EQ(testing::internal::GetCapturedStdout(),
              "at 1ms on db stall 1s\nat 5ms on db reset\n# script done\n");
    EXPECT_EQ(co_await read(ours, 1), "<reset>");
    EXPECT_EQ(co_await read(theirs, 1), "<reset>");
}

TEST_F(LinkTest, PlaysAScript) {
    open();
    run(plays_a_script());
}

}  // namespace
}  // namespace hpb::test
