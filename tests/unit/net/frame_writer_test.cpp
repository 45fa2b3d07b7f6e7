#include "net/websocket/frame_writer.hpp"

#include <gmock/gmock.h>

#include "support/faulty_transport.hpp"
#include "support/loopback.hpp"

namespace hpb::test {
namespace {

using net::FrameWriter;
using websocket::Opcode;

/// A server's frames, which are not masked, so that a test can read them.
class FrameWriterTest : public Loopback {
protected:
    FrameWriterTest() : pair(connected_pair()), ours(pair.first), theirs(pair.second) {
        ours.use(net::TransportPtr(new FaultyTransport(faults)));
    }

    awaitable<void> writes(std::string frames) {
        const auto done = co_await writer.write(as_bytes(frames));
        outcomes.push_back(done ? "written" : done.error().message());
    }
    void start(std::string frames) {
        net::spawn(context.get_executor(), writes(std::move(frames)));
    }
    awaitable<void> flushes() {
        const auto done = co_await writer.flush();
        outcomes.push_back(done ? "flushed" : done.error().message());
    }
    static std::string ping(std::string_view text) {
        return websocket::encode_control(Opcode::ping, as_bytes(text), websocket::Role::server, {});
    }
    static std::string close() {
        return websocket::encode_control(Opcode::close, {}, websocket::Role::server, {});
    }

    awaitable<void> in_turn();
    awaitable<void> control_between();
    awaitable<void> control_held();
    awaitable<void> after_close();
    awaitable<void> tries();
    awaitable<void> failure();
    awaitable<void> ping_flood();

    std::shared_ptr<Faults> faults = std::make_shared<Faults>();
    std::pair<net::Stream, net::Stream> pair;
    net::Stream& ours;
    net::Stream& theirs;
    FrameWriter writer{ours, websocket::Role::server};
    std::vector<std::string> outcomes;
};

awaitable<void> FrameWriterTest::in_turn() {
    faults->most_per_write = 3;
    std::string expected;
    for (const char* frames : {"first frame, ", "second frame, ", "third frame"}) {
        start(frames);
        expected += frames;
    }
    EXPECT_EQ(co_await read(theirs, expected.size()), expected);
    co_await until([&] { return outcomes.size() == 3; });
    EXPECT_THAT(outcomes, testing::Each("written"));
    EXPECT_FALSE(writer.busy());
}

TEST_F(FrameWriterTest, FramesOfSeveralSendersDoNotMix) {
    run(in_turn());
}

awaitable<void> FrameWriterTest::control_between() {
    faults->most_per_write = 2;
    start("a data frame");
    co_await until([&] { return writer.busy() && faults->written > 0; });
    EXPECT_FALSE(writer.queue_control(Opcode::ping, as_bytes("p"))) << "whoever writes sends it";
    start("another");
    const std::string expected = "a data frame" + ping("p") + "another";
    EXPECT_EQ(co_await read(theirs, expected.size()), expected);
    co_await until([&] { return outcomes.size() == 2; });
}

TEST_F(FrameWriterTest, AControlFrameGoesOutBehindTheFrameThatWasBegun) {
    run(control_between());
}

awaitable<void> FrameWriterTest::control_held() {
    faults->most_per_write = 1;
    EXPECT_TRUE(writer.queue_control(Opcode::ping, as_bytes("held"))) << "flush() has to finish it";
    EXPECT_TRUE(writer.busy());
    start("data");
    net::spawn(context.get_executor(), flushes());
    const std::string expected = ping("held") + "data";
    EXPECT_EQ(co_await read(theirs, expected.size()), expected);
    co_await until([&] { return outcomes.size() == 2; });
    EXPECT_THAT(outcomes, testing::ElementsAre("flushed", "written"));
}

TEST_F(FrameWriterTest, NothingComesBetweenThePartsOfAControlFrame) {
    run(control_held());
}

awaitable<void> FrameWriterTest::after_close() {
    EXPECT_FALSE(writer.queue_control(Opcode::close, {}));
    EXPECT_TRUE(writer.close_queued());
    co_await writes("too late");
    EXPECT_THAT(outcomes.back(), testing::HasSubstr("closing"));
    EXPECT_FALSE(writer.queue_control(Opcode::ping, as_bytes("too late")));
    EXPECT_EQ(writer.try_write(as_bytes("too late")), std::nullopt);
    EXPECT_EQ(co_await read(theirs, close().size()), close());
    ours.interrupt();
    EXPECT_EQ(co_await read(theirs, 1), "");
}

TEST_F(FrameWriterTest, NothingFollowsClose) {
    run(after_close());
}

awaitable<void> FrameWriterTest::tries() {
    EXPECT_EQ(writer.try_write(as_bytes("all of it")), 9u);
    EXPECT_FALSE(writer.busy());
    faults->most_per_write = 4;
    EXPECT_EQ(writer.try_write(as_bytes("a part")), 4u);
    EXPECT_TRUE(writer.busy());
    EXPECT_EQ(writer.try_write(as_bytes("not now")), std::nullopt);
    start("later");
    const auto rest = co_await writer.write_rest(as_bytes("rt"));
    EXPECT_TRUE(rest);
    EXPECT_EQ(co_await read(theirs, 20), "all of ita partlater");
    co_await until([&] { return outcomes.size() == 1; });
}

TEST_F(FrameWriterTest, WhatWasTriedIsFinishedBeforeAnythingElse) {
    run(tries());
}

awaitable<void> FrameWriterTest::failure() {
    faults->writes_left = 5;
    co_await writes("more than five bytes");
    EXPECT_THAT(outcomes.back(), testing::HasSubstr("injected"));
    faults->writes_left = Faults::kNever;
    co_await writes("again");
    EXPECT_THAT(outcomes.back(), testing::HasSubstr("closing")) << "half a frame is out already";
    EXPECT_EQ(writer.try_write(as_bytes("again")), std::nullopt);
    EXPECT_FALSE(writer.queue_control(Opcode::ping, {}));
    EXPECT_EQ(co_await read(theirs, 5), "more ");
    ours.interrupt();
    EXPECT_EQ(co_await read(theirs, 1), "");
}

TEST_F(FrameWriterTest, AFailureIsFinal) {
    run(failure());
}

awaitable<void> FrameWriterTest::ping_flood() {
    faults->full = true;
    EXPECT_TRUE(writer.queue_control(Opcode::pong, as_bytes("0")));
    std::string expected = websocket::encode_control(Opcode::pong, as_bytes(std::string_view("0")),
                                                     websocket::Role::server, {});
    const std::string text(100, 'x');
    const std::string one =
        websocket::encode_control(Opcode::pong, as_bytes(text), websocket::Role::server, {});
    std::size_t queued = expected.size();
    for (int i = 0; i < 1000; ++i) EXPECT_FALSE(writer.queue_control(Opcode::pong, as_bytes(text)));
    EXPECT_FALSE(writer.queue_control(Opcode::close, {})) << "there is always room for Close";
    EXPECT_TRUE(writer.close_queued());
    faults->full = false;
    co_await flushes();
    EXPECT_EQ(outcomes.back(), "flushed");
    while (queued + text.size() + websocket::kMaxHeaderSize <= FrameWriter::kMaxPendingControl) {
        queued += one.size();
        expected += one;
    }
    expected += close();
    EXPECT_EQ(faults->written, expected.size());
    EXPECT_LE(faults->written, FrameWriter::kMaxPendingControl + close().size());
    EXPECT_EQ(co_await read(theirs, expected.size()), expected);
}

TEST_F(FrameWriterTest, PongsForAPeerThatDoesNotReadAreBounded) {
    run(ping_flood());
}

}  // namespace
}  // namespace hpb::test
