#include "session/budget.hpp"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

#include "support/session_pair.hpp"

namespace hpb::session {
namespace {

using test::SessionPair;
using ::testing::ElementsAre;
using Kind = Event::Kind;

TEST(Budget, GivesEveryStreamItsShareAndTheRestToWhoComes) {
    Budget budget{1700, 100, nullptr};
    EXPECT_EQ(budget.grow(0, 50, 0), 50U);
    EXPECT_EQ(budget.used(), 0U) << "its own share";
    EXPECT_EQ(budget.grow(50, 150, 0), 150U);
    EXPECT_EQ(budget.used(), 100U);
    EXPECT_EQ(budget.grow(0, 100'000, 0), 100U + 1506) << "sixteen parts of seventeen";
    EXPECT_EQ(budget.grow(0, 100'000, 0), 100U + 89) << "and again of what is left";
    EXPECT_EQ(budget.grow(200, 10'000, 1000), 0U) << "less is not wanted";
    budget.shrink(1606, 0);
    EXPECT_EQ(budget.used(), 100U + 89);
}

TEST(Budget, WhoeverHoldsMoreThanItsPartGivesWay) {
    Budget budget{1700, 0, nullptr};
    std::uint64_t first = budget.grow(0, 100'000, 0);
    EXPECT_EQ(first, 1600U);
    std::uint64_t second = 0;
    for (int i = 0; i < 200; ++i) {  // each gives back a little, and asks for all it can get
        budget.shrink(first, first - first / 8);
        first -= first / 8;
        first += budget.grow(first, 100'000, 0);
        budget.shrink(second, second - second / 8);
        second -= second / 8;
        second += budget.grow(second, 100'000, 0);
    }
    EXPECT_GT(first, 700U);
    EXPECT_GT(second, 700U);
}

TEST(Budget, TakesFromTheProcessAndGivesBackAlways) {
    MemoryBudget process{1000};
    {
        Budget one{100'000, 0, &process};
        Budget other{100'000, 0, &process};
        EXPECT_EQ(one.grow(0, 600, 0), 600U);
        EXPECT_GT(other.grow(0, 10'000, 0), 300U);
        EXPECT_EQ(process.used(), one.used() + other.used());
        EXPECT_LE(process.used(), process.limit());
        other.close();
        EXPECT_EQ(process.used(), 600U);
        EXPECT_EQ(other.grow(0, 1, 0), 0U);
    }
    EXPECT_EQ(process.used(), 0U);
}

TEST(MemoryBudget, IsNeverOverrunByThreads) {
    MemoryBudget process{1000};
    std::vector<std::thread> threads;
    std::atomic<bool> overrun{false};
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) {
                const std::uint64_t taken = process.take(400);
                if (process.used() > 1000) overrun = true;
                process.give_back(taken);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_FALSE(overrun);
    EXPECT_EQ(process.used(), 0U);
}

// Two sessions of a process, of which one has all the memory.
class SharedBudgetTest : public ::testing::Test {
protected:
    static Limits limits(MemoryBudget& process) {
        Limits l;
        l.max_streams = 4;
        l.initial_credit = 4096;
        l.stream_window = 64 * 1024;
        l.send_budget = 64 * 1024;
        l.shared = &process;
        return l;
    }
    void SetUp() override { channel = pair.connect(); }
    StreamId open() {
        const StreamId id = pair.client->open({}).value();
        pair.run(channel);
        EXPECT_TRUE(pair.service()->accept(id));
        pair.run(channel);
        SessionPair::events(*pair.client);
        return id;
    }

    MemoryBudget process{256 * 1024};
    SessionPair pair{limits(process)};
    ChannelId channel;
};

TEST_F(SharedBudgetTest, WritersWaitUntilAnotherSessionGivesBack) {
    const StreamId id = open();
    const std::uint64_t others = process.take(process.limit());
    const std::string much(64 * 1024, 'x');
    EXPECT_EQ(pair.client->write(id, as_bytes(much)).value(), 4096U) << "its share";
    EXPECT_EQ(pair.client->write_room(id), 0U);
    pair.client->on_timeout(pair.now);
    EXPECT_EQ(pair.client->next_deadline(), pair.now + milliseconds{25});
    pair.now += milliseconds{25};
    pair.client->on_timeout(pair.now);
    EXPECT_THAT(SessionPair::kinds(*pair.client), ElementsAre());
    process.give_back(others);
    pair.now += milliseconds{25};
    EXPECT_EQ(pair.client->next_deadline(), pair.now);
    pair.client->on_timeout(pair.now);
    EXPECT_THAT(SessionPair::kinds(*pair.client), ElementsAre(Kind::writable));
    EXPECT_GT(pair.client->write_room(id), 20'000U);
}

TEST_F(SharedBudgetTest, WindowsWaitToo) {
    const std::uint64_t others = process.take(process.room());
    const StreamId id = open();
    EXPECT_EQ(pair.service()->find_stream(id)->receive.granted(), 4096U) << "its share";
    process.give_back(others);
    ASSERT_TRUE(pair.service()->next_deadline());
    pair.now += milliseconds{25};
    pair.service()->on_timeout(pair.now);
    EXPECT_GT(pair.service()->find_stream(id)->receive.granted(), 60'000U);
    EXPECT_GT(process.used(), 0U);
    pair.client->reset(id);
    pair.run(channel);
    EXPECT_EQ(process.used(), 0U);
}

TEST_F(SharedBudgetTest, ASessionThatGoesGivesEverythingBack) {
    open();
    open();
    EXPECT_GT(process.used(), 0U);
    pair.client->end();
    pair.table.remove(SessionPair::identity().id);
    EXPECT_EQ(process.used(), 0U);
}

}  // namespace
}  // namespace hpb::session
