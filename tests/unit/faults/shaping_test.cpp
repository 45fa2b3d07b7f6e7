#include "faults/shaping.hpp"

#include <gtest/gtest.h>

#include "faults/slab_queue.hpp"

namespace hpb::faults {
namespace {

using namespace std::chrono_literals;

constexpr Clock::time_point kStart{1000s};

TEST(Throttle, WithoutARateNothingWaits) {
    Throttle throttle;
    EXPECT_EQ(throttle.admission(kStart, 1 << 20, 4096), kStart);
    EXPECT_EQ(throttle.pass(kStart, 1 << 20), kStart);
    EXPECT_EQ(throttle.quantum(65536), 65536u);
}

TEST(Throttle, BytesLeaveOneAfterTheOther) {
    Throttle throttle;
    throttle.set_rate(8'000'000);  // a byte a microsecond
    EXPECT_EQ(throttle.pass(kStart, 1000), kStart + 1ms);
    EXPECT_EQ(throttle.pass(kStart, 1000), kStart + 2ms);
    EXPECT_EQ(throttle.pass(kStart + 10ms, 500), kStart + 10ms + 500us);
}

TEST(Throttle, LosesNothingToRounding) {
    Throttle throttle;
    throttle.set_rate(7'000'000);
    Clock::time_point last;
    for (int i = 0; i < 700'000; ++i) last = throttle.pass(kStart, 1);
    EXPECT_EQ(last, kStart + 800ms);
}

TEST(Throttle, AdmitsWhenTheQueueHasRoom) {
    Throttle throttle;
    throttle.set_rate(8'000'000);
    (void)throttle.pass(kStart, 4000);
    EXPECT_EQ(throttle.admission(kStart, 1000, 5000), kStart);
    EXPECT_EQ(throttle.admission(kStart, 1000, 4000), kStart + 1ms);
    EXPECT_EQ(throttle.admission(kStart, 9000, 4000), kStart + 4ms) << "an empty queue is enough";
    EXPECT_EQ(throttle.admission(kStart + 10ms, 1000, 1000), kStart + 10ms);
}

TEST(Throttle, SlowLinksTrickle) {
    Throttle throttle;
    throttle.set_rate(56'000);
    EXPECT_EQ(throttle.quantum(65536), 1500u);
    throttle.set_rate(100'000'000);
    EXPECT_EQ(throttle.quantum(65536), 12500u);
    throttle.set_rate(10'000'000'000);
    EXPECT_EQ(throttle.quantum(65536), 65536u);
}

TEST(ReleaseSchedule, ReleasesEachPieceAtItsTime) {
    ReleaseSchedule schedule;
    schedule.push(10, kStart + 1ms);
    schedule.push(20, kStart + 2ms);
    EXPECT_EQ(schedule.next(), kStart + 1ms);
    EXPECT_EQ(schedule.due(kStart, 100), 0u);
    EXPECT_EQ(schedule.due(kStart + 1ms, 100), 10u);
    EXPECT_EQ(schedule.due(kStart + 2ms, 100), 30u);
    EXPECT_EQ(schedule.due(kStart + 2ms, 15), 15u);
    schedule.consume(15);
    EXPECT_EQ(schedule.size(), 15u);
    EXPECT_EQ(schedule.next(), kStart + 2ms);
    schedule.consume(15);
    EXPECT_TRUE(schedule.empty());
}

TEST(ReleaseSchedule, AShorterDelayDoesNotOvertake) {
    ReleaseSchedule schedule;
    schedule.push(10, kStart + 100ms);
    schedule.push(10, kStart + 5ms);
    EXPECT_EQ(schedule.due(kStart + 50ms, 100), 0u);
    EXPECT_EQ(schedule.due(kStart + 100ms, 100), 20u);
    EXPECT_EQ(schedule.last(), kStart + 100ms);
}

TEST(ReleaseSchedule, TinyPiecesShareMarks) {
    ReleaseSchedule schedule;
    for (int i = 0; i < 100'000; ++i) schedule.push(1, kStart + i * 100ns);
    EXPECT_EQ(schedule.size(), 100'000u);
    EXPECT_LE(schedule.marks(), 1001u);
}

void put(SlabQueue& queue, std::string_view text) {
    const auto room = queue.room();
    ASSERT_GE(room.size(), SlabQueue::kMinRoom);
    std::memcpy(room.data(), text.data(), text.size());
    queue.commit(text.size());
}

TEST(SlabQueue, GivesBackWhatWasPutInInOrder) {
    SlabQueue queue;
    std::string in;
    for (int i = 0; i < 3000; ++i) {
        const std::string piece(static_cast<std::size_t>(i % 200), static_cast<char>('a' + i % 26));
        in += piece;
        put(queue, piece);
    }
    EXPECT_EQ(queue.size(), in.size());
    std::string out;
    while (queue.size() > 0) {
        const auto part = queue.front().first(std::min<std::size_t>(777, queue.front().size()));
        out += as_text(part);
        queue.consume(part.size());
    }
    EXPECT_EQ(out, in);
    EXPECT_TRUE(queue.front().empty());
}

TEST(SlabQueue, RoomThatWasNotUsedDoesNoHarm) {
    SlabQueue queue;
    put(queue, "");
    EXPECT_TRUE(queue.front().empty());
    put(queue, std::string(60'000, 'x'));
    put(queue, "");  // in a slab of its own
    queue.consume(60'000);
    put(queue, "y");
    EXPECT_EQ(as_text(queue.front()), "y");
}

}  // namespace
}  // namespace hpb::faults
