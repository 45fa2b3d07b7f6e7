#include "session/session_table.hpp"

#include <gmock/gmock.h>

#include "support/session_pair.hpp"

namespace hpb::session {
namespace {

using test::SessionPair;

HelloFrame hello_of(std::uint32_t n, std::uint64_t channel = 1) {
    HelloFrame hello;
    store_be(hello.session.bytes.data(), n);
    hello.channel = {channel};
    hello.secret_or_proof.fill(static_cast<std::byte>(n));
    hello.parameters = {5000, 300'000, 10, 1000, 65535};
    return hello;
}

class SessionTableTest : public ::testing::Test {
protected:
    HelloRefusal refusal(const HelloFrame& hello) {
        const auto answer = table.admit(hello, {}, now);
        const auto* refused = std::get_if<RefusedHelloFrame>(&answer);
        return refused == nullptr ? HelloRefusal{} : refused->code;
    }
    bool admitted(const HelloFrame& hello) { return refusal(hello) == HelloRefusal{}; }

    Clock::time_point now{};
    SlabPool pool;
    SessionTable table{{}, {.max_sessions = 3}, "id", pool};
};

TEST_F(SessionTableTest, RoutesByIdAndBoundsTheNumber) {
    EXPECT_TRUE(admitted(hello_of(1)));
    EXPECT_TRUE(admitted(hello_of(2)));
    EXPECT_TRUE(admitted(hello_of(3)));
    EXPECT_EQ(refusal(hello_of(4)), HelloRefusal::too_many_sessions);
    EXPECT_TRUE(admitted(hello_of(3, 2))) << "the same again: WELCOME was lost";
    EXPECT_EQ(refusal(hello_of(3, 2)), HelloRefusal::replayed);
    EXPECT_EQ(table.find(hello_of(3).session)->channel_count(), 2U);
    EXPECT_EQ(table.size(), 3U);
}

// S4: sessions that were begun and left alone keep nobody out.
TEST_F(SessionTableTest, TheYoungestThatWasNeverUsedGivesWay) {
    ASSERT_TRUE(admitted(hello_of(1)));
    ASSERT_TRUE(admitted(hello_of(2)));
    ASSERT_TRUE(admitted(hello_of(3)));
    now += milliseconds{10};
    for (const std::uint32_t n : {1U, 3U})
        table.find(hello_of(n).session)->on_channel_lost({1}, now);
    const auto answer = table.admit(hello_of(4), {}, now);
    const auto* admission = std::get_if<SessionTable::Admission>(&answer);
    ASSERT_NE(admission, nullptr);
    ASSERT_NE(admission->given_up, nullptr);
    EXPECT_TRUE(admission->given_up->is_ended());
    EXPECT_NE(admission->given_up->id(), hello_of(2).session) << "it has a channel";
    table.remove(admission->given_up->id());
    EXPECT_EQ(table.size(), 3U);
}

// S4: one sender has four fifths at most, whatever its sessions do.
TEST_F(SessionTableTest, SourcesShareTheTable) {
    SessionTable large{{}, {.max_sessions = 100}, "id", pool};
    const auto admit = [&](std::uint32_t n, const std::string& source) {
        const auto answer = large.admit(hello_of(n), {}, now, source);
        return std::holds_alternative<SessionTable::Admission>(answer);
    };
    std::uint32_t n = 0;
    while (n < 1000 && admit(n + 1, "stranger")) ++n;
    EXPECT_EQ(n, 80U);
    EXPECT_TRUE(admit(2000, "other"));
    large.remove(hello_of(1).session);
    large.remove(hello_of(2).session);
    EXPECT_TRUE(admit(2001, "stranger"));
}

// S4: nobody misses a session that has never had a stream.
TEST_F(SessionTableTest, AnUnusedSessionExpiresSooner) {
    SessionTable brief{{.unused_grace = std::chrono::seconds{30}}, {}, "id", pool};
    ASSERT_TRUE(std::holds_alternative<SessionTable::Admission>(brief.admit(hello_of(1), {}, now)));
    brief.find(hello_of(1).session)->on_channel_lost({1}, now);
    int ended = 0;
    brief.sweep(now + std::chrono::seconds{29}, [&](Session&) { ++ended; });
    EXPECT_EQ(ended, 0);
    brief.sweep(now + std::chrono::seconds{31}, [&](Session&) { ++ended; });
    EXPECT_EQ(ended, 1);
}

TEST_F(SessionTableTest, AStrangersSessionIsNotMine) {
    HelloFrame hello = hello_of(1);
    hello.resume = true;
    EXPECT_EQ(refusal(hello), HelloRefusal::unknown_session);
    EXPECT_EQ(table.size(), 0U);
}

TEST_F(SessionTableTest, OnlyTheHolderOfTheSecretResumes) {
    const HelloFrame first = hello_of(1);
    ASSERT_TRUE(admitted(first));
    HelloFrame next = hello_of(1, 2);
    next.resume = true;
    EXPECT_EQ(refusal(next), HelloRefusal::bad_proof) << "the secret is no proof of it";
    next.secret_or_proof =
        client_proof(first.secret_or_proof, next.session, next.channel, next.nonce);
    HelloFrame other = next;
    other.channel = {3};
    EXPECT_EQ(refusal(other), HelloRefusal::bad_proof) << "the proof of another channel";
    EXPECT_TRUE(admitted(next));
    EXPECT_EQ(refusal(next), HelloRefusal::replayed);
    EXPECT_EQ(table.find(first.session)->channel_count(), 2U);
}

TEST_F(SessionTableTest, VersionsAndNonsenseAreRefusedWithoutATrace) {
    HelloFrame hello = hello_of(1);
    hello.version = 9;
    hello.min_version = 3;
    const auto answer = table.admit(hello, {}, now);
    const auto& refused = std::get<RefusedHelloFrame>(answer);
    EXPECT_EQ(refused.code, HelloRefusal::version);
    EXPECT_EQ(refused.version, kVersion);
    hello = hello_of(1);
    hello.parameters.max_frame = 10;
    EXPECT_EQ(refusal(hello), HelloRefusal::malformed);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(SessionTable::malformed().code, HelloRefusal::malformed);
}

TEST_F(SessionTableTest, WhileDrainingOnlyResumesAreTaken) {
    ASSERT_TRUE(admitted(hello_of(1)));
    table.drain();
    EXPECT_EQ(refusal(hello_of(2)), HelloRefusal::shutting_down);
    EXPECT_TRUE(admitted(hello_of(1, 2)));
}

TEST_F(SessionTableTest, TheOldestChannelGivesWayToANewOne) {
    ASSERT_TRUE(admitted(hello_of(1)));
    const ByteSpan being_written = table.find(hello_of(1).session)->pending_output({1}, 1000)[0];
    const std::string welcome{as_text(being_written)};
    for (std::uint64_t channel = 2; channel < 20; ++channel) {
        now += milliseconds{1};
        ASSERT_TRUE(admitted(hello_of(1, channel)));
    }
    Session& session = *table.find(hello_of(1).session);
    EXPECT_EQ(session.channel_count(), Limits{}.max_channels);
    std::size_t gone = 0;
    while (const auto event = session.next_event()) {
        if (event->kind == Event::Kind::channel_dead) ++gone;
    }
    EXPECT_EQ(gone, 19U - Limits{}.max_channels);
    EXPECT_EQ(as_text(being_written), welcome) << "until the owner lets go";
    session.on_channel_lost({1}, now);
    EXPECT_EQ(session.channel_count(), Limits{}.max_channels);
}

TEST_F(SessionTableTest, AbandonedSessionsGo) {
    SessionTable big{{}, {.max_sessions = 20'000}, "id", pool};
    for (std::uint32_t n = 0; n < 10'000; ++n) {
        const HelloFrame hello = hello_of(n);
        ASSERT_TRUE(std::holds_alternative<SessionTable::Admission>(big.admit(hello, {}, now)));
        big.find(hello.session)->on_channel_lost(hello.channel, now);
    }
    EXPECT_EQ(big.size(), 10'000U);
    std::size_t ended = 0;
    const auto count = [&](Session&) { ++ended; };
    big.sweep(now + std::chrono::minutes{5} - milliseconds{1}, count);
    EXPECT_EQ(ended, 0U);
    big.sweep(now + std::chrono::minutes{5}, count);
    EXPECT_EQ(ended, 10'000U);
    EXPECT_EQ(big.size(), 0U);
    EXPECT_EQ(pool.in_use(), 0U);
}

TEST_F(SessionTableTest, AboveTheMemoryBoundNoNewSessionIsMade) {
    SessionTable small{{}, {.max_sessions = 10, .max_memory = 16 * 1024}, "id", pool};
    const SlabRef one = pool.take();
    const SlabRef two = pool.take();
    const auto answer = small.admit(hello_of(1), {}, now);
    EXPECT_EQ(std::get<RefusedHelloFrame>(answer).code, HelloRefusal::too_many_sessions);
}

}  // namespace
}  // namespace hpb::session
