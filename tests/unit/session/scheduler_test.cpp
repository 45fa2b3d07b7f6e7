#include "session/scheduler.hpp"

#include <gmock/gmock.h>

#include <map>

namespace hpb::session {
namespace {

class SchedulerTest : public ::testing::Test {
protected:
    Stream& add(std::uint32_t id, std::size_t bytes) {
        auto& stream = streams[id];
        stream = std::make_unique<Stream>(StreamId{id}, true, WindowTuner{1, 1}, pool);
        stream->confirmed = true;
        stream->send.on_credit(1 << 30);
        stream->send.write(ByteSpan{std::vector<std::byte>(bytes)});
        scheduler.activate(*stream);
        return *stream;
    }
    // One frame of the next stream. @return its id, 0 if there is none.
    std::uint32_t turn(std::uint64_t most = 100) {
        Stream* stream = scheduler.next();
        if (stream == nullptr) return 0;
        const auto chunk = stream->send.next({1}, most).value();
        stream->send.mark_sent(chunk, {1});
        scheduler.charge(*stream, chunk.size);
        return stream->id.value;
    }

    SlabPool pool{64};
    std::map<std::uint32_t, std::unique_ptr<Stream>> streams;
    Scheduler scheduler{100};
};

TEST_F(SchedulerTest, BulkStreamsShareEvenly) {
    add(1, 10'000);
    add(3, 10'000);
    EXPECT_TRUE(scheduler.contended());
    std::map<std::uint32_t, int> turns;
    for (int i = 0; i < 100; ++i) ++turns[turn()];
    EXPECT_NEAR(turns[1], 50, 2);
    EXPECT_NEAR(turns[3], 50, 2);
}

TEST_F(SchedulerTest, SharesCountBytesAndNotFrames) {
    add(1, 100'000);
    add(3, 100'000);
    std::map<std::uint32_t, std::uint64_t> left;
    for (int i = 0; i < 300; ++i) {
        Stream* stream = scheduler.next();
        const auto chunk = stream->send.next({1}, stream->id.value == 1 ? 400 : 200).value();
        stream->send.mark_sent(chunk, {1});
        scheduler.charge(*stream, chunk.size);
    }
    const double one = 100'000.0 - static_cast<double>(streams[1]->send.unsent());
    const double three = 100'000.0 - static_cast<double>(streams[3]->send.unsent());
    EXPECT_NEAR(one / three, 1.0, 0.15);
}

TEST_F(SchedulerTest, AKeystrokeOvertakesBulk) {
    for (std::uint32_t id = 1; id < 20; id += 2) add(id, 10'000);
    for (int i = 0; i < 30; ++i) turn();
    add(101, 1);
    EXPECT_EQ(turn(), 101U);
}

TEST_F(SchedulerTest, AStreamThatSendsLittleAndOftenIsNotFreshEachTime) {
    add(1, 10'000);
    add(3, 10'000);
    for (int i = 0; i < 5; ++i) turn();
    Stream& chatty = add(5, 1);
    std::map<std::uint32_t, int> turns;
    for (int i = 0; i < 200; ++i) {
        ++turns[turn()];
        if (!chatty.send.has_pending()) {
            chatty.send.write(as_bytes("x"));
            scheduler.activate(chatty);
        }
    }
    // Its frames of one byte cost more than a byte; the others get their turns.
    EXPECT_GT(turns[1], 20);
    EXPECT_GT(turns[3], 20);
}

TEST_F(SchedulerTest, StreamsWithoutDataFallOut) {
    add(1, 50);
    EXPECT_FALSE(scheduler.contended());
    EXPECT_EQ(turn(), 1U);
    EXPECT_EQ(turn(), 0U);
    EXPECT_FALSE(streams[1]->data_hook.is_linked());
}

TEST_F(SchedulerTest, OnlyAConfirmedHeavyStreamIsLentOut) {
    add(1, 1000);
    EXPECT_EQ(scheduler.heavy(1000), nullptr);
    EXPECT_EQ(scheduler.heavy(999), streams[1].get());
    streams[1]->confirmed = false;
    EXPECT_EQ(scheduler.heavy(999), nullptr);
}

}  // namespace
}  // namespace hpb::session
