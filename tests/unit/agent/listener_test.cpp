#include "agent/service/listener.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/message.hpp"
#include "support/loopback.hpp"
#include "support/reached.hpp"
#include "websocket/handshake.hpp"

namespace hpb::agent::service {
namespace {

using namespace hpb::test;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

/// What a stand-in relay saw of one request, and the WebSocket if it was granted.
struct Visit {
    http::RequestHead request;
    std::optional<net::WebSocket> websocket;
};

/// A listener against a relay that the test plays by hand, plain ws on loopback.
class ListenerTest : public testing::Test {
protected:
    ListenerTest() : relay(pool.first(), {net::asio::ip::address_v4::loopback(), 0}) {
        options.relay.address = {"127.0.0.1", relay.local_endpoint().port(), false};
        options.relay.key_name = "root";
        options.relay.key = "k";
        entity.path = "simple";
        entity.targets[5011] = {"127.0.0.1", 1};
        entity.use_user_metadata = false;
    }

    void start() {
        auto dialer = RelayDialer::create(options.relay, "service");
        ASSERT_TRUE(dialer);
        context = std::make_shared<const ServiceContext>(pool, options, *dialer);
        Listener::Events events;
        events.on_registered = [this] { ++registered; };
        events.on_fatal = [this](const Error& error) { fatal = error.message(); };
        listener = std::make_shared<Listener>(pool.first().get_executor(), context, entity, events);
        net::spawn(listener->executor(), Listener::run(listener));
    }

    void run(awaitable<void> test) {
        bool done = false;
        start();
        net::asio::co_spawn(pool.first(), std::move(test), [&](const std::exception_ptr& error) {
            EXPECT_FALSE(error);
            done = true;
            pool.stop();
        });
        pool.first().run_for(20s);
        EXPECT_TRUE(done) << "timed out";
    }

    /// The next request; granted if `status` is 101, else refused.
    /// @param keep_alive  what the relay agrees to, if not "".
    awaitable<Visit> visit(unsigned status, std::string keep_alive = "") {
        net::Stream stream = co_await accept(relay);
        http::RequestParser parser(64 * 1024);
        std::array<std::byte, 4096> buffer{};
        while (!parser.done()) {
            const auto read = co_await stream.read_some(buffer);
            EXPECT_TRUE(read && *read > 0);
            if (!read || *read == 0) co_return Visit();
            EXPECT_TRUE(parser.put(ByteSpan(buffer).first(*read)));
        }
        Visit seen;
        seen.request = parser.take();
        http::ResponseHead response;
        response.status = status;
        response.reason = "as told";
        if (status == 101) response = websocket::make_upgrade_response(seen.request, "");
        if (!keep_alive.empty()) response.headers.add("Hpb-Keep-Alive", keep_alive);
        const std::string head = http::serialize(response);
        EXPECT_TRUE(co_await write(stream, head));
        if (status == 101)
            seen.websocket.emplace(std::move(stream), websocket::Role::server, ByteSpan());
        co_return std::move(seen);
    }

    static awaitable<void> say(net::WebSocket& to, std::string text) {
        const auto sent = co_await to.send(websocket::Opcode::text, as_bytes(text));
        EXPECT_TRUE(sent);
    }

    std::string accept_message() const {
        return R"({"accept":{"address":"ws://127.0.0.1:)" +
               std::to_string(options.relay.address.port) +
               R"(/$hc/simple?sb-hc-action=accept&sb-hc-id=1","id":"7f0c9a52-1f3b-4c55-9a0e-2d6a1c7be001_G0","connectHeaders":{}}})";
    }

    net::ExecutorPool pool{1};
    net::tcp::acceptor relay;
    config::ServiceOptions options;
    config::ServiceEntity entity;
    std::shared_ptr<const ServiceContext> context;
    std::shared_ptr<Listener> listener;
    int registered = 0;
    std::string fatal;

    awaitable<void> registers_and_serves();
    awaitable<void> refuses_requests();
    awaitable<void> turns_away();
    awaitable<void> comes_back();
    awaitable<void> gives_up();
    awaitable<void> notices_silence();
    awaitable<void> stays_while_pings_come();
    awaitable<void> gives_up_an_attempt();
};

awaitable<void> ListenerTest::registers_and_serves() {
    Visit control = co_await visit(101);
    EXPECT_THAT(control.request.target, StartsWith("/$hc/simple?sb-hc-action=listen&sb-hc-id="));
    EXPECT_THAT(std::string(control.request.headers.get("ServiceBusAuthorization")),
                StartsWith("SharedAccessSignature sr="));
    co_await say(*control.websocket, R"({"somethingNew":{}})");
    co_await say(*control.websocket, "not JSON");
    co_await say(*control.websocket, accept_message());
    Visit rendezvous = co_await visit(101);
    EXPECT_EQ(rendezvous.request.target, "/$hc/simple?sb-hc-action=accept&sb-hc-id=1");
    EXPECT_FALSE(rendezvous.request.headers.has("ServiceBusAuthorization"));
    EXPECT_TRUE(co_await send(*rendezvous.websocket, preamble(4711)));
    EXPECT_EQ(co_await receive(*rendezvous.websocket), "<closed>");
    EXPECT_EQ(registered, 1);
    listener->stop();
    EXPECT_EQ(co_await receive(*control.websocket), "<closed>");
}

TEST_F(ListenerTest, RegistersWithATokenAndOpensRendezvousWithoutOne) {
    run(registers_and_serves());
}

awaitable<void> ListenerTest::refuses_requests() {
    Visit control = co_await visit(101);
    co_await say(
        *control.websocket,
        R"({"request":{"address":"ws://127.0.0.1:1/?x=1","id":"r1","method":"POST","body":true}})");
    EXPECT_TRUE(co_await send(*control.websocket, "the body, which is thrown away"));
    const std::string answer = co_await receive(*control.websocket);
    const auto parsed = hc::parse_control_message(answer);
    const auto* response = parsed ? std::get_if<hc::ResponseMessage>(&*parsed) : nullptr;
    EXPECT_NE(response, nullptr) << answer;
    if (response == nullptr) co_return;
    EXPECT_EQ(response->request_id, "r1");
    EXPECT_EQ(response->status_code, 501);
    EXPECT_FALSE(response->has_body);
}

TEST_F(ListenerTest, AnswersHttpRequestsWith501) {
    run(refuses_requests());
}

awaitable<void> ListenerTest::turns_away() {
    Visit control = co_await visit(101);
    co_await say(*control.websocket, accept_message());
    const Visit rejection = co_await visit(410);
    EXPECT_THAT(rejection.request.target,
                HasSubstr("&sb-hc-statusCode=503&sb-hc-statusDescription=the+service+agent"));
}

TEST_F(ListenerTest, RejectsASenderBeyondItsChannels) {
    options.max_channels = 0;
    const Reached refused(ops::Limit::refused_channels);
    run(turns_away());
    EXPECT_EQ(refused.times(), 1u);
}

awaitable<void> ListenerTest::comes_back() {
    for (int i = 0; i < 2; ++i) {
        Visit control = co_await visit(101);
        EXPECT_TRUE(control.websocket);
        control.websocket->stream().shutdown_send();
    }
    const Visit refused = co_await visit(401);
    const Visit again = co_await visit(101);
    EXPECT_TRUE(again.websocket) << "a refusal later on is not the end";
    EXPECT_EQ(fatal, "");
}

TEST_F(ListenerTest, ComesBackWheneverItIsLost) {
    run(comes_back());
}

awaitable<void> ListenerTest::notices_silence() {
    Visit first = co_await visit(101, "1");
    EXPECT_EQ(first.request.headers.get("Hpb-Keep-Alive"), "1");
    const auto began = net::Clock::now();
    const Visit again = co_await visit(101);
    const auto gone = net::Clock::now() - began;
    EXPECT_GE(gone, 2s);
    EXPECT_LT(gone, 4s);
    EXPECT_EQ(again.request.target, first.request.target) << "the same listener, for the relay";
}

TEST_F(ListenerTest, TakesASilentRelayForLostIfAKeepAliveWasAgreedOn) {
    options.session.keep_alive = 1s;
    const Reached silent(ops::Limit::silent_relays);
    run(notices_silence());
    EXPECT_EQ(silent.times(), 1u);
}

awaitable<void> ListenerTest::stays_while_pings_come() {
    Visit control = co_await visit(101, "1");
    const auto until = net::Clock::now() + 3500ms;
    net::asio::steady_timer tick(pool.first());
    while (net::Clock::now() < until) {
        control.websocket->send_ping();
        tick.expires_after(500ms);
        co_await tick.async_wait(net::kAsTuple);
    }
    co_await say(*control.websocket, accept_message());
    const Visit rendezvous = co_await visit(101);
    EXPECT_THAT(rendezvous.request.target, HasSubstr("sb-hc-action=accept"));
}

TEST_F(ListenerTest, StaysWhilePingsCome) {
    options.session.keep_alive = 1s;
    run(stays_while_pings_come());
}

awaitable<void> ListenerTest::gives_up_an_attempt() {
    const net::Stream swallowed = co_await accept(relay);
    const auto began = net::Clock::now();
    const Visit again = co_await visit(101);
    const auto waited = net::Clock::now() - began;
    EXPECT_TRUE(again.websocket);
    EXPECT_GE(waited, 4900ms);
    EXPECT_LT(waited, 8s);
}

TEST_F(ListenerTest, GivesUpAnAttemptThatThePathHasSwallowed) {
    const Reached late(ops::Limit::late_answers);
    run(gives_up_an_attempt());
    EXPECT_EQ(late.times(), 1u);
}

awaitable<void> ListenerTest::gives_up() {
    const Visit refused = co_await visit(401);
    while (fatal.empty()) co_await net::asio::post(pool.first(), net::asio::use_awaitable);
    EXPECT_THAT(fatal, HasSubstr("401 as told"));
    EXPECT_EQ(registered, 0);
}

TEST_F(ListenerTest, GivesUpWhenItsFirstContactIsARefusalForGood) {
    run(gives_up());
}

}  // namespace
}  // namespace hpb::agent::service
