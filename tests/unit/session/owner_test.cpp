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

}  // namespace
}  // namespace hpb::session
