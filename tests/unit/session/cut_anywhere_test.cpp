// The same conversation over and over, its channel cut at every byte of either direction: the
// exhaustive counterpart of the random cuts of tests/simulation.
#include <gmock/gmock.h>

#include "support/session_pair.hpp"

namespace hpb::session {
namespace {

using test::SessionPair;

const std::string kRequest = "what is the answer to everything?";
const std::string kAnswer = "forty-two, and thanks for all the fish";

/// One request and its answer, both half-closed, and two more streams: one refused, one reset.
class Conversation {
public:
    /// @param cut_after  bytes of direction `side` (0: to the service) that still arrive.
    Conversation(int side, std::size_t cut_after) : side_(side), left_(cut_after) {}

    /// @return true if the cut came before the end.
    bool run() {
        channel_ = pair_.client->attach(SessionPair::nonce(1), pair_.now).value();
        for (int i = 0; i < 100 && !is_over(); ++i) {
            act();
            move(0);
            move(1);
            act();
            if (left_ == 0 && !was_cut_) cut();
            pair_.now += milliseconds{25};
            for (Session* s : {pair_.client.get(), pair_.service()}) {
                if (s != nullptr) s->on_timeout(pair_.now);
            }
        }
        EXPECT_TRUE(is_over());
        EXPECT_EQ(request_, kRequest);
        EXPECT_EQ(answer_, kAnswer);
        EXPECT_EQ(refused_, 1);
        EXPECT_EQ(reset_, 1);
        EXPECT_EQ(closed_, 2);
        EXPECT_EQ(pair_.client_pool.in_use() + pair_.service_pool.in_use(), 0U);
        return was_cut_;
    }

private:
    [[nodiscard]] bool is_over() {
        return closed_ == 2 && refused_ == 1 && reset_ == 1 && pair_.service() != nullptr &&
               pair_.client->stream_count() + pair_.service()->stream_count() == 0;
    }

    void act() {
        if (!opened_ && pair_.client->has_open_channel()) {
            opened_ = true;
            EXPECT_EQ(pair_.client->open({}).value().value, 1U);
            EXPECT_EQ(pair_.client->write({1}, as_bytes(kRequest)).value(), kRequest.size());
            EXPECT_TRUE(pair_.client->finish({1}));
            EXPECT_EQ(pair_.client->open({}).value().value, 3U);
            EXPECT_EQ(pair_.client->open({}).value().value, 5U);
        }
        for (int side = 0; side < 2; ++side) {
            Session* s = side == 0 ? pair_.client.get() : pair_.service();
            if (s == nullptr) continue;
            while (const auto event = s->next_event()) on_event(*s, side, *event);
        }
    }

    void on_event(Session& s, int side, const Event& event) {
        switch (event.kind) {
            case Event::Kind::opened:
                if (event.stream.value == 1) EXPECT_TRUE(s.accept(event.stream));
                if (event.stream.value == 3) {
                    EXPECT_TRUE(s.refuse(event.stream, OpenRefusal::unreachable, "no"));
                }
                if (event.stream.value == 5) s.reset(event.stream);
                break;
            case Event::Kind::readable:
                (side == 0 ? answer_ : request_) += SessionPair::read(s, event.stream);
                break;
            case Event::Kind::inbound_finished:
                if (side == 1) {
                    EXPECT_EQ(s.write({1}, as_bytes(kAnswer)).value(), kAnswer.size());
                    EXPECT_TRUE(s.finish({1}));
                }
                break;
            case Event::Kind::refused:
                ++refused_;
                break;
            case Event::Kind::reset:
                ++reset_;
                break;
            case Event::Kind::closed:
                ++closed_;
                break;
            default:
                break;
        }
    }

    void move(int side) {
        Session* from = side == 0 ? pair_.client.get() : pair_.service();
        if (from == nullptr) return;
        std::string bytes = SessionPair::output(*from, channel_);
        if (side == side_ && !was_cut_) {
            bytes.resize(std::min(bytes.size(), left_));
            left_ -= bytes.size();
        }
        if (side == 1) {
            EXPECT_TRUE(pair_.client->on_bytes(channel_, as_bytes(bytes), pair_.now));
            return;
        }
        ByteSpan in = as_bytes(bytes);
        if (!greeted_) {
            const auto hello = reader_.next(in).value();
            if (!hello) return;
            const auto answer = pair_.table.admit(*hello, SessionPair::nonce(2), pair_.now);
            EXPECT_TRUE(std::holds_alternative<SessionTable::Admission>(answer));
            greeted_ = true;
        }
        EXPECT_TRUE(pair_.service()->on_bytes(channel_, in, pair_.now));
    }

    void cut() {
        was_cut_ = true;
        pair_.client->on_channel_lost(channel_, pair_.now);
        if (greeted_) pair_.service()->on_channel_lost(channel_, pair_.now);
        greeted_ = false;
        reader_ = {};
        channel_ = pair_.client->attach(SessionPair::nonce(3), pair_.now).value();
    }

    SessionPair pair_;
    int side_;
    std::size_t left_;
    ChannelId channel_;
    HelloReader reader_;
    bool greeted_ = false;
    bool was_cut_ = false;
    bool opened_ = false;
    std::string request_;
    std::string answer_;
    int refused_ = 0;
    int reset_ = 0;
    int closed_ = 0;
};

TEST(CutAnywhere, NoByteOfTheWayToTheServiceMatters) {
    std::size_t at = 0;
    while (Conversation{0, at}.run() && !::testing::Test::HasFailure()) ++at;
    EXPECT_GT(at, 300U) << "bytes of the whole conversation";
}

TEST(CutAnywhere, NoByteOfTheWayToTheClientMatters) {
    std::size_t at = 0;
    while (Conversation{1, at}.run() && !::testing::Test::HasFailure()) ++at;
    EXPECT_GT(at, 200U) << "bytes of the whole conversation";
}

}  // namespace
}  // namespace hpb::session
