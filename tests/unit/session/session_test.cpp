#include "session/session.hpp"

#include <gmock/gmock.h>

#include "support/bytes_text.hpp"
#include "support/session_pair.hpp"

namespace hpb::session {
namespace {

using test::from_hex;
using test::SessionPair;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = Event::Kind;
using std::chrono::seconds;

class SessionTest : public ::testing::Test {
protected:
    explicit SessionTest(const Limits& limits = {}) : pair{limits} {}

    void SetUp() override {
        channel = pair.connect();
        SessionPair::events(*pair.client);
        SessionPair::events(*pair.service());
    }
    // Opens a stream that the service has accepted.
    StreamId open() {
        const StreamId id = pair.client->open({}).value();
        pair.run(channel);
        EXPECT_TRUE(pair.service()->accept(id));
        pair.run(channel);
        SessionPair::events(*pair.client);
        SessionPair::events(*pair.service());
        return id;
    }
    void write(Session& from, StreamId id, std::string_view text) {
        EXPECT_EQ(from.write(id, as_bytes(text)).value(), text.size());
    }
    // Gives the service bytes that a real client would not send. @return its verdict.
    errc inject(std::string_view hex) {
        const auto bytes = from_hex(hex);
        const auto done = pair.service()->on_bytes(channel, bytes, pair.now);
        return done ? errc::none : static_cast<errc>(done.error().code().value());
    }

    SessionPair pair;
    ChannelId channel;
};

TEST_F(SessionTest, OpenDataAndFinTravelTogether) {
    OpenInfo info;
    info.key = 42;
    info.source.family = 4;
    info.source.port = 5432;
    const StreamId id = pair.client->open(info).value();
    EXPECT_EQ(id, StreamId{1});
    write(*pair.client, id, "hello");
    EXPECT_TRUE(pair.client->finish(id));
    pair.run(channel);
    const auto events = SessionPair::events(*pair.service());
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].kind, Kind::opened);
    EXPECT_EQ(events[0].open, info);
    EXPECT_EQ(events[1].kind, Kind::readable);
    EXPECT_EQ(SessionPair::read(*pair.service(), id), "hello");
    EXPECT_THAT(SessionPair::kinds(*pair.service()), ElementsAre(Kind::inbound_finished));
    // Half-closed: the other direction lives on.
    EXPECT_TRUE(pair.service()->accept(id));
    write(*pair.service(), id, "good bye");
    EXPECT_TRUE(pair.service()->finish(id));
    pair.run(channel);
    EXPECT_THAT(SessionPair::kinds(*pair.client), ElementsAre(Kind::accepted, Kind::readable));
    EXPECT_EQ(SessionPair::read(*pair.client, id), "good bye");
    EXPECT_THAT(SessionPair::kinds(*pair.client),
                ElementsAre(Kind::inbound_finished, Kind::closed));
    pair.run(channel);
    EXPECT_THAT(SessionPair::kinds(*pair.service()), ElementsAre(Kind::closed));
    EXPECT_EQ(pair.client->stream_count() + pair.service()->stream_count(), 0U);
    EXPECT_EQ(pair.client_pool.in_use() + pair.service_pool.in_use(), 0U);
}

TEST_F(SessionTest, ARefusalComesWithItsReason) {
    const StreamId id = pair.client->open({}).value();
    pair.run(channel);
    EXPECT_TRUE(pair.service()->refuse(id, OpenRefusal::connection_refused, "db:5432 says no"));
    pair.run(channel);
    const auto events = SessionPair::events(*pair.client);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, Kind::refused);
    EXPECT_EQ(events[0].refusal, OpenRefusal::connection_refused);
    EXPECT_EQ(events[0].text, "db:5432 says no");
    EXPECT_EQ(pair.client->stream_count() + pair.service()->stream_count(), 0U);
    EXPECT_FALSE(pair.client->write(id, as_bytes("x")));
}

TEST_F(SessionTest, AResetDropsWhatIsKeptAndIsToldOnce) {
    const StreamId id = open();
    write(*pair.client, id, "abc");
    pair.client->reset(id, errc::application_reset);
    EXPECT_EQ(pair.client_pool.in_use(), 0U);
    pair.run(channel);
    const auto events = SessionPair::events(*pair.service());
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, Kind::reset);
    EXPECT_EQ(events[0].code, errc::application_reset);
    EXPECT_THAT(SessionPair::events(*pair.client), IsEmpty());
    EXPECT_EQ(pair.client->stream_count(), 0U) << "CLOSED has come back";
}

TEST_F(SessionTest, AStreamResetBeforeItsOpenWentOutIsNeverSeen) {
    const StreamId id = pair.client->open({}).value();
    pair.client->reset(id);
    const StreamId next = pair.client->open({}).value();
    pair.run(channel);
    const auto events = SessionPair::events(*pair.service());
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].stream, next);
    EXPECT_EQ(pair.client->stream_count(), 1U);
}

TEST_F(SessionTest, ALostChannelCostsNothingButAPause) {
    const StreamId id = open();
    write(*pair.client, id, "one ");
    static_cast<void>(SessionPair::output(*pair.client, channel));  // and lost on the way
    write(*pair.client, id, "two");
    pair.lose(channel);
    channel = pair.connect();
    EXPECT_EQ(SessionPair::read(*pair.service(), id), "one two");
    EXPECT_EQ(pair.client->stats().bytes_resent, 4U);
    EXPECT_EQ(pair.client->stats().resumes, 1U);
}

TEST_F(SessionTest, OutputStaysValidWhileTheStreamGoesAway) {
    const StreamId id = open();
    write(*pair.client, id, "abc");
    const auto before = pair.client->pending_output(channel, 1000);
    std::vector<ByteSpan> held{before.begin(), before.end()};
    std::string copy;
    for (const ByteSpan span : held) copy += as_text(span);
    pair.client->reset(id);
    EXPECT_GT(pair.client_pool.in_use(), 0U);
    std::string again;
    for (const ByteSpan span : held) again += as_text(span);
    EXPECT_EQ(again, copy);
    pair.client->output_sent(channel, copy.size());
    EXPECT_EQ(pair.client_pool.in_use(), 0U);
}

TEST_F(SessionTest, CreditStopsTheSenderAndComesBackWithConsumption) {
    const StreamId id = open();
    const std::string much(std::size_t{1} << 20, 'x');
    const std::size_t taken = pair.client->write(id, as_bytes(much)).value();
    EXPECT_EQ(taken, 256U * 1024);
    pair.run(channel);
    EXPECT_EQ(pair.client->write(id, as_bytes(much)).value(), 0U) << "nobody has read";
    EXPECT_THAT(SessionPair::kinds(*pair.client), IsEmpty());
    EXPECT_EQ(SessionPair::read(*pair.service(), id).size(), taken);
    pair.run(channel);
    EXPECT_THAT(SessionPair::kinds(*pair.client), ElementsAre(Kind::writable));
}

TEST_F(SessionTest, AcknowledgementsWaitForAMomentOrForManyBytes) {
    const StreamId id = open();
    write(*pair.client, id, "x");
    static_cast<void>(pair.service()->on_bytes(
        channel, as_bytes(SessionPair::output(*pair.client, channel)), pair.now));
    EXPECT_EQ(SessionPair::output(*pair.service(), channel), "");
    ASSERT_EQ(pair.service()->next_deadline(), pair.now + milliseconds{25});
    pair.service()->on_timeout(pair.now + milliseconds{25});
    EXPECT_EQ(SessionPair::output(*pair.service(), channel).size(), 24U);
    write(*pair.client, id, std::string(64 * 1024, 'y'));
    static_cast<void>(pair.service()->on_bytes(
        channel, as_bytes(SessionPair::output(*pair.client, channel)), pair.now));
    EXPECT_EQ(SessionPair::output(*pair.service(), channel).size(), 24U);
}

TEST_F(SessionTest, SilenceIsAnsweredWithAPingAndThenGivenUp) {
    pair.now += seconds{5};
    pair.client->on_timeout(pair.now);
    const std::string ping = SessionPair::output(*pair.client, channel);
    ASSERT_EQ(ping.size(), 16U);
    EXPECT_EQ(ping[0], 0x20);
    ASSERT_TRUE(pair.service()->on_bytes(channel, as_bytes(ping), pair.now));
    const std::string pong = SessionPair::output(*pair.service(), channel);
    EXPECT_EQ(pong, '\x21' + ping.substr(1));
    pair.now += milliseconds{30};
    ASSERT_TRUE(pair.client->on_bytes(channel, as_bytes(pong), pair.now));
    const auto dead = pair.now + milliseconds{12'500};
    pair.client->on_timeout(dead - milliseconds{1});
    EXPECT_THAT(SessionPair::events(*pair.client), IsEmpty());
    pair.client->on_timeout(dead);
    pair.client->on_timeout(dead);
    EXPECT_THAT(SessionPair::kinds(*pair.client), ElementsAre(Kind::channel_dead));
}

TEST_F(SessionTest, APeerThatLostAChannelTellsTheOtherEnd) {
    const ChannelId second = pair.connect();
    SessionPair::events(*pair.service());
    pair.client->on_channel_lost(channel, pair.now);
    pair.run(second);
    const auto events = SessionPair::events(*pair.service());
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, Kind::channel_dead);
    EXPECT_EQ(events[0].channel, channel);
}

TEST_F(SessionTest, ClosingAChannelMovesItsStreamsFirst) {
    const StreamId id = open();
    const ChannelId second = pair.connect();
    write(*pair.client, id, "before");
    pair.run(channel);
    pair.client->close_channel(channel);
    write(*pair.client, id, " after");
    pair.run(channel);
    pair.run(second);
    EXPECT_EQ(SessionPair::read(*pair.service(), id), "before after");
    pair.now += milliseconds{25};
    pair.service()->on_timeout(pair.now);
    pair.run(second);
    EXPECT_THAT(SessionPair::kinds(*pair.client),
                ElementsAre(Kind::channel_open, Kind::channel_drained));
    EXPECT_EQ(pair.client->stats().bytes_resent, 0U);
}

TEST_F(SessionTest, WithoutAChannelItExpiresAfterTheGraceTime) {
    const StreamId id = open();
    pair.lose(channel);
    const auto end = pair.now + std::chrono::minutes{5};
    EXPECT_EQ(pair.client->next_deadline(), end);
    pair.client->on_timeout(end - milliseconds{1});
    EXPECT_FALSE(pair.client->is_ended());
    pair.client->on_timeout(end);
    const auto events = SessionPair::events(*pair.client);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].kind, Kind::reset);
    EXPECT_EQ(events[0].stream, id);
    EXPECT_EQ(events[0].code, errc::session_expired);
    EXPECT_EQ(events[1].kind, Kind::ended);
    EXPECT_FALSE(pair.client->open({}));
    EXPECT_FALSE(pair.client->attach({}, pair.now));
}

TEST_F(SessionTest, EndingItTellsThePeer) {
    open();
    pair.service()->end(errc::shutting_down);
    EXPECT_THAT(SessionPair::kinds(*pair.service()), ElementsAre(Kind::reset, Kind::ended));
    pair.run(channel);
    const auto events = SessionPair::events(*pair.client);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].code, errc::shutting_down);
    EXPECT_EQ(events[1].kind, Kind::ended);
}

// What a peer that has proved itself may not do: each ends the session.
struct Crime {
    const char* name;
    const char* hex;
    errc verdict;
};

class SessionCrimes : public SessionTest, public ::testing::WithParamInterface<Crime> {};

TEST_P(SessionCrimes, EndTheSession) {
    ASSERT_EQ(open(), StreamId{1});
    EXPECT_EQ(inject(GetParam().hex), GetParam().verdict);
    auto kinds = SessionPair::kinds(*pair.service());
    std::erase(kinds, Kind::readable);
    EXPECT_THAT(kinds, ElementsAre(Kind::reset, Kind::ended));
    const std::string last = SessionPair::output(*pair.service(), channel);
    EXPECT_EQ(last[0], 0x23) << "END_SESSION";
    EXPECT_EQ(last[9], static_cast<char>(GetParam().verdict));
}

INSTANTIATE_TEST_SUITE_P(
    All, SessionCrimes,
    ::testing::Values(
        Crime{"beyond credit", "1300000900000001 0000000000040000 78", errc::flow_control},
        Crime{"far beyond credit", "1300000900000001 ffffffffffffffff 78", errc::flow_control},
        Crime{"FIN moved", "1301000900000001 0000000000000000 78 1301000800000001 0000000000000009",
              errc::final_size},
        Crime{"never opened", "1300000900000007 0000000000000000 78", errc::wrong_stream},
        Crime{"ours, never opened", "1600000000000002", errc::wrong_stream},
        Crime{"opens ours",
              "1000002000000002 00000000 0000 0000 00000000000000000000000000000000 "
              "0000000000000000",
              errc::wrong_stream},
        Crime{"no stream", "1600000000000000", errc::wrong_stream},
        Crime{"too high an id",
              "1000002000000801 00000000 0000 0000 00000000000000000000000000000000 "
              "0000000000000000",
              errc::stream_limit},
        Crime{"not sent", "1400001000000001 0000000000000001 0000000000000000",
              errc::ack_beyond_sent}),
    [](const auto& instance) {
        std::string name = instance.param.name;
        std::erase_if(name, [](char c) { return !isalnum(static_cast<unsigned char>(c)); });
        return name;
    });

TEST_F(SessionTest, BytesThatAreNoFramesCostTheChannelOnly) {
    const StreamId id = open();
    EXPECT_EQ(inject("7700000000000000"), errc::unknown_frame);
    EXPECT_FALSE(pair.service()->is_ended());
    const std::string last = SessionPair::output(*pair.service(), channel);
    EXPECT_EQ(last[0], 0x22) << "CHANNEL_CLOSE";
    EXPECT_EQ(inject("1600000000000001"), errc::closed);
    EXPECT_FALSE(pair.client->on_bytes(channel, as_bytes(last), pair.now));
    pair.lose(channel);
    channel = pair.connect();
    write(*pair.client, id, "still here");
    pair.run(channel);
    EXPECT_EQ(SessionPair::read(*pair.service(), id), "still here");
}

TEST_F(SessionTest, HandshakesComeOnceAndNothingFollowsAClose) {
    EXPECT_EQ(inject("0200000000000000"), errc::unexpected_frame);
    pair.lose(channel);
    channel = pair.connect();
    EXPECT_EQ(inject("22000002000000000000 2000000800000000 0000000000000001"),
              errc::frame_after_close);
}

TEST_F(SessionTest, FramesOfStreamsThatAreOverAreAnsweredAndBounded) {
    const StreamId id = open();
    pair.service()->reset(id);
    pair.run(channel);
    SessionPair::events(*pair.client);
    EXPECT_EQ(inject("1300000900000001 0000000000000000 78"), errc::none);
    EXPECT_EQ(test::to_hex(as_bytes(SessionPair::output(*pair.service(), channel))),
              "1600000000000001");
    EXPECT_EQ(inject("1600000000000001"), errc::none) << "and CLOSED is never answered";
    EXPECT_EQ(SessionPair::output(*pair.service(), channel), "");
}

TEST_F(SessionTest, AServiceThatDoesNotKnowTheSecretIsLeft) {
    pair.lose(channel);
    const ChannelId next = pair.client->attach({}, pair.now).value();
    WelcomeFrame forged;
    forged.parameters.max_frame = 65535;
    ControlFrame wire = encode(forged);
    const auto done = pair.client->on_bytes(next, wire.finish(), pair.now);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), make_error_code(errc::welcome_rejected));
    EXPECT_FALSE(pair.client->is_ended());
}

TEST(SessionStart, NoSecondChannelAndNoStreamBeforeTheFirstIsOpen) {
    SessionPair pair;
    EXPECT_TRUE(pair.client->attach({}, pair.now));
    EXPECT_FALSE(pair.client->attach({}, pair.now));
    EXPECT_FALSE(pair.client->open({}));
}

}  // namespace
}  // namespace hpb::session
