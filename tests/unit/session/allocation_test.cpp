// The steady state of a session allocates nothing: every operator new of this program is counted.
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "session/session.hpp"
#include "support/session_pair.hpp"

namespace {

std::atomic<std::size_t> allocations{0};

}  // namespace

void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace hpb::session {
namespace {

using test::SessionPair;

class AllocationTest : public ::testing::Test {
protected:
    // What one end has to say goes straight to the other.
    void pass(Session& from, Session& to, std::size_t wanted) {
        std::size_t size = 0;
        for (const ByteSpan span : from.pending_output(channel, wanted)) {
            if (!to.on_bytes(channel, span, pair.now)) ADD_FAILURE();
            size += span.size();
        }
        from.output_sent(channel, size);
    }
    void read(Session& of) {
        while (auto event = of.next_event()) {
            if (event->kind != Event::Kind::readable) continue;
            std::size_t size = 0;
            std::array<HeldBytes, 32> pieces;
            const std::size_t n = of.read(event->stream, pieces);
            for (std::size_t i = 0; i < n; ++i) size += pieces[i].bytes.size();
            of.consumed(event->stream, size, pair.now);
            moved += size;
        }
    }
    void round(std::size_t size) {
        for (const StreamId id : ids) {
            static_cast<void>(pair.client->write(id, ByteSpan{data}.first(size)));
        }
        pass(*pair.client, *pair.service(), 64 * 1024);
        read(*pair.service());
        pass(*pair.service(), *pair.client, 64 * 1024);
        read(*pair.client);
        pair.now += milliseconds{1};
        pair.service()->on_timeout(pair.now);
    }

    SessionPair pair;
    ChannelId channel;
    std::vector<StreamId> ids;
    std::vector<std::byte> data = std::vector<std::byte>(64 * 1024);
    std::size_t moved = 0;
};

TEST_F(AllocationTest, NothingIsAllocatedPerFrame) {
    channel = pair.connect();
    for (int i = 0; i < 8; ++i) {
        ids.push_back(pair.client->open({}).value());
        pair.run(channel);
        ASSERT_TRUE(pair.service()->accept(ids.back()));
    }
    for (const std::size_t size : {std::size_t{64 * 1024}, std::size_t{100}}) {
        for (int i = 0; i < 300; ++i) round(size);
        moved = 0;
        const std::size_t before = allocations;
        for (int i = 0; i < 1000; ++i) round(size);
        EXPECT_EQ(allocations - before, 0U) << "writes of " << size;
        EXPECT_GT(moved, 1000U * 8 * 90);
    }
}

}  // namespace
}  // namespace hpb::session
