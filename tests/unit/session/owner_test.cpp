// What a session answers to its owner's questions.
#include <gmock/gmock.h>

#include "support/session_pair.hpp"

namespace hpb::session {
namespace {

using test::SessionPair;
using ::testing::ElementsAre;
using Kind = Event::Kind;

class OwnerTest : public ::testing::Test {
protected:
    void SetUp() override { channel = pair.connect(); }
    StreamId open() {
        const StreamId id = pair.client->open({}).value();
        pair.run(channel);
        EXPECT_TRUE(pair.service()->accept(id));
        pair.run(channel);
        SessionPair::events(*pair.client);
        SessionPair::events(*pair.service());
        return id;
    }

    SessionPair pair;
    ChannelId channel;
};

TEST_F(OwnerTest, TheOwnerMayAskHowMuchWouldBeTaken) {
    const StreamId id = open();
    EXPECT_EQ(pair.client->write_room({99}), 0U);
    const std::uint64_t room = pair.client->write_room(id);
    const std::string much(room, 'x');
    EXPECT_TRUE(pair.client->all_acknowledged(id));
    EXPECT_EQ(pair.client->write(id, as_bytes(much)).value(), room);
    pair.run(channel);
    EXPECT_EQ(pair.client->stalled_streams(), 0U) << "nobody has asked for more";
    EXPECT_EQ(pair.client->write_room(id), 0U);
    EXPECT_EQ(pair.client->stalled_streams(), 1U);
    EXPECT_EQ(SessionPair::read(*pair.service(), id).size(), room);
    pair.run(channel);
    EXPECT_THAT(SessionPair::kinds(*pair.client), ElementsAre(Kind::writable));
    EXPECT_EQ(pair.client->stalled_streams(), 0U);
    EXPECT_TRUE(pair.client->all_acknowledged(id));
    EXPECT_TRUE(pair.client->finish(id));
    EXPECT_FALSE(pair.client->all_acknowledged(id)) << "FIN is not";
    EXPECT_EQ(pair.client->write_room(id), 0U);
    pair.run(channel);
    EXPECT_TRUE(pair.client->all_acknowledged(id));
    EXPECT_TRUE(pair.client->all_acknowledged({99}));
}

TEST_F(OwnerTest, CountsWhatOperatorsAskFor) {
    const StreamId id = open();
    EXPECT_EQ(pair.client->write(id, as_bytes("12345")).value(), 5U);
    static_cast<void>(SessionPair::output(*pair.client, channel));  // and lost on the way
    pair.lose(channel);
    channel = pair.connect();
    pair.client->reset(id);
    const StreamId other = pair.client->open({}).value();
    pair.run(channel);
    EXPECT_TRUE(pair.service()->refuse(other, OpenRefusal::timed_out, ""));
    pair.run(channel);
    for (const Session* s : {pair.client.get(), pair.service()}) {
        EXPECT_EQ(s->stats().streams_opened, 2U);
        EXPECT_EQ(s->stats().streams_refused, 1U);
        EXPECT_EQ(s->stats().streams_reset, 1U);
    }
    EXPECT_EQ(pair.client->stats().bytes_sent, 5U) << "once, though it went out twice";
    EXPECT_EQ(pair.service()->stats().bytes_received, 5U);
}

// A path of a tenth of a second, seen by the service.
class LongPathTest : public OwnerTest {
protected:
    void SetUp() override {
        channel = pair.client->attach(SessionPair::nonce(1), pair.now).value();
        const std::string hello = SessionPair::output(*pair.client, channel);
        HelloReader reader;
        ByteSpan in = as_bytes(hello);
        static_cast<void>(pair.table.admit(*reader.next(in).value(), {}, pair.now));
        const std::string welcome = SessionPair::output(*pair.service(), channel);
        pair.now += milliseconds{100};
        EXPECT_TRUE(pair.client->on_bytes(channel, as_bytes(welcome), pair.now));
        pair.run(channel);
    }
    // All that credit allows goes over and is read; then a round trip passes. @return how much.
    std::size_t round(StreamId id) {
        static const std::string much(std::size_t{64} << 20, 'x');
        const std::size_t sent = pair.client->write(id, as_bytes(much)).value();
        for (std::string wire; !(wire = SessionPair::output(*pair.client, channel)).empty();) {
            EXPECT_TRUE(pair.service()->on_bytes(channel, as_bytes(wire), pair.now));
            SessionPair::read(*pair.service(), id, pair.now);
        }
        SessionPair::events(*pair.service());
        pair.now += milliseconds{100};
        pair.service()->on_timeout(pair.now);
        const std::string answer = SessionPair::output(*pair.service(), channel);
        EXPECT_TRUE(pair.client->on_bytes(channel, as_bytes(answer), pair.now));
        return sent;
    }
};

TEST_F(LongPathTest, WindowsGrowAndTheNextStreamIsFastAtOnce) {
    ASSERT_EQ(pair.service()->round_trip(), milliseconds{100});
    const StreamId first = open();
    std::size_t most = 0;
    for (int i = 0; i < 6; ++i) most = std::max(most, round(first));
    EXPECT_GT(most, std::size_t{30} << 20);
    EXPECT_GT(pair.service()->find_stream(first)->tuner.window(), std::uint64_t{30} << 20);
    pair.client->reset(first);  // credit that was given is only free again at the stream's end
    pair.run(channel);
    const StreamId second = open();
    EXPECT_EQ(pair.service()->find_stream(second)->receive.granted(), 256U * 1024)
        << "a stream that does nothing takes no memory from others";
    round(second);
    EXPECT_GT(pair.service()->find_stream(second)->tuner.window(), std::uint64_t{12} << 20);
    pair.now += std::chrono::seconds{61};
    const StreamId late = open();
    round(late);
    round(late);
    EXPECT_LE(pair.service()->find_stream(late)->tuner.window(), std::uint64_t{1} << 20)
        << "what was known is too old";
}

// A path of no length, on which nothing but a queue fills a window.
class ShortPathTest : public OwnerTest {
protected:
    // For so long, five milliseconds at a time: everything that credit allows goes over on `bulk`,
    // and a byte on each of `others`.
    std::uint64_t flow(milliseconds time, StreamId bulk, std::initializer_list<StreamId> others) {
        static const std::string much(std::size_t{8} << 20, 'x');
        for (const auto end = pair.now + time; pair.now < end; pair.now += milliseconds{5}) {
            for (const StreamId id : others) {
                EXPECT_EQ(pair.client->write(id, as_bytes("x")).value(), 1U);
            }
            EXPECT_TRUE(pair.client->write(bulk, as_bytes(much)));
            pair.run(channel);
            for (const StreamId id : others) SessionPair::read(*pair.service(), id, pair.now);
            SessionPair::read(*pair.service(), bulk, pair.now);
            pair.run(channel);
        }
        return pair.service()->find_stream(bulk)->tuner.window();
    }
};

TEST_F(ShortPathTest, ABulkStreamQueuesLittleBesideALightOneAndMoreWhenItIsAlone) {
    const StreamId bulk = pair.client->open({}).value();
    pair.run(channel);
    EXPECT_GE(flow(milliseconds{200}, bulk, {}), 4U << 20) << "it was light for a moment only";
    const StreamId light = pair.client->open({}).value();
    pair.run(channel);
    EXPECT_LE(flow(milliseconds{200}, bulk, {light}), 64U * 1024);
    EXPECT_LE(flow(milliseconds{400}, bulk, {}), 64U * 1024) << "it may come back";
    EXPECT_GE(flow(milliseconds{400}, bulk, {}), 4U << 20);
}

TEST_F(LongPathTest, AWindowThatTheOwnerHasSetStays) {
    const StreamId id = open();
    pair.service()->set_window(id, 100'000);
    for (int i = 0; i < 6; ++i) round(id);
    EXPECT_EQ(pair.service()->find_stream(id)->tuner.window(), 100'000U);
}

}  // namespace
}  // namespace hpb::session
