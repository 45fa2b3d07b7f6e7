#include "agent/service/target_places.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace hpb::agent::service {
namespace {

using TimePoint = net::Clock::time_point;
using namespace std::chrono_literals;

struct Holder : PlaceHolder {
    Holder(net::asio::io_context& io, TimePoint idle) : context(io), since(idle) {}
    net::asio::any_io_executor holder_executor() const override { return context.get_executor(); }
    TimePoint idle_since() override { return since; }
    void give_up_longest_idle() override { ++given_up; }

    net::asio::io_context& context;
    TimePoint since;
    int given_up = 0;
};

struct TargetPlacesTest : testing::Test {
    net::asio::io_context context;
    TargetPlaces places{net::Share::root(100)};
    TimePoint t{1000s};

    std::shared_ptr<Holder> holder(SenderPlaces& of, TimePoint since) {
        auto made = std::make_shared<Holder>(context, since);
        of.add(made, made.get(), since);
        return made;
    }

    std::optional<bool> make_room(SenderPlaces& of) {
        std::optional<bool> made;
        of.make_room([&](bool done) { made = done; });
        context.restart();
        context.run();
        return made;
    }
};

TEST_F(TargetPlacesTest, ASourceIsTheSameSenderForAsLongAsSomebodyHoldsIt) {
    auto one = places.sender("a");
    EXPECT_EQ(places.sender("a"), one);
    EXPECT_NE(places.sender("b"), one);
    const std::weak_ptr<SenderPlaces> gone = one;
    one.reset();
    EXPECT_TRUE(gone.expired());
    EXPECT_TRUE(places.sender("a"));
}

TEST_F(TargetPlacesTest, TheHolderWithTheLongestIdleConnectionMakesRoom) {
    const auto sender = places.sender("a");
    const auto younger = holder(*sender, t + 1s);
    const auto older = holder(*sender, t);
    EXPECT_EQ(make_room(*sender), true);
    EXPECT_EQ(older->given_up, 1);
    EXPECT_EQ(younger->given_up, 0);
}

TEST_F(TargetPlacesTest, OneThatHasHadTrafficSinceGivesItsTurnToTheNext) {
    const auto sender = places.sender("a");
    const auto older = holder(*sender, t);
    const auto younger = holder(*sender, t + 1s);
    older->since = t + 2s;
    EXPECT_EQ(make_room(*sender), true);
    EXPECT_EQ(older->given_up, 0);
    EXPECT_EQ(younger->given_up, 1);
}

TEST_F(TargetPlacesTest, NobodyMakesRoomWhereNobodyHasAnything) {
    const auto sender = places.sender("a");
    EXPECT_EQ(make_room(*sender), false);
    auto gone = holder(*sender, t);
    gone.reset();
    const auto empty = holder(*sender, t);
    empty->since = TimePoint::max();
    EXPECT_EQ(make_room(*sender), false);
    EXPECT_FALSE(sender->has_holders());
}

TEST_F(TargetPlacesTest, WhoIsRemovedIsNotAsked) {
    const auto sender = places.sender("a");
    const auto one = holder(*sender, t);
    sender->remove(one.get());
    sender->remove(one.get());
    EXPECT_EQ(make_room(*sender), false);
    EXPECT_EQ(one->given_up, 0);
}

TEST_F(TargetPlacesTest, TheFullestIsTheOneWithTheMostOfThoseWhoCanMakeRoom) {
    EXPECT_FALSE(places.fullest());
    const auto a = places.sender("a");
    const auto b = places.sender("b");
    const auto without_holders = places.sender("c");
    const auto ticket = b->share()->try_take();
    const auto more = without_holders->share()->try_take();
    const auto most = without_holders->share()->try_take();
    EXPECT_FALSE(places.fullest());
    const auto first = holder(*a, t);
    EXPECT_EQ(places.fullest(), a);
    const auto second = holder(*b, t);
    EXPECT_EQ(places.fullest(), b);
}

TEST_F(TargetPlacesTest, OpensBeyondTheFirstHaveToWait) {
    const auto sender = places.sender("a");
    for (int i = 0; i < static_cast<int>(SenderPlaces::kOpensAtOnce); ++i)
        ASSERT_EQ(sender->open_delay(t).count(), 0) << i;
    EXPECT_GT(sender->open_delay(t).count(), 0);
    EXPECT_EQ(places.sender("b")->open_delay(t).count(), 0);
}

}  // namespace
}  // namespace hpb::agent::service
