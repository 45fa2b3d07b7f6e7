#include "relay/handshake_table.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "relay/handshake_turns.hpp"

namespace hpb::relay {
namespace {

/// One handshake under way.
struct Peer {
    Peer(net::asio::io_context& context, HandshakeTable& table, const std::string& source,
         HandshakeTable::Peer peer)
        : stream(net::tcp::socket(context)), entry(table, stream, source, peer) {}

    net::Stream stream;
    HandshakeTable::Entry entry;
};

class HandshakeTableTest : public testing::Test {
protected:
    Peer& add(const std::string& source, HandshakeTable::Peer peer = HandshakeTable::Peer::client) {
        return *peers_.emplace_back(std::make_unique<Peer>(context_, table_, source, peer));
    }

    net::asio::io_context context_;
    HandshakeTable table_{10};
    std::vector<std::unique_ptr<Peer>> peers_;
};

// S2: whoever has the most loses its oldest, however long the others take.
TEST_F(HandshakeTableTest, AFloodCostsTheFlood) {
    Peer& slow = add("honest");
    Peer& first = add("flood");
    for (int i = 0; i < 1000; ++i) add("flood");
    EXPECT_FALSE(slow.entry.evicted());
    EXPECT_TRUE(first.entry.evicted());
    EXPECT_FALSE(peers_.back()->entry.evicted()) << "the oldest goes, not the newest";
    EXPECT_EQ(table_.size(), 10u);
    peers_.clear();
    EXPECT_EQ(table_.size(), 0u);
}

// S2: a flood from many addresses does not always hit the slowest.
TEST_F(HandshakeTableTest, AmongEqualsChanceDecides) {
    int survived = 0;
    for (int round = 0; round < 100; ++round) {
        Peer& slow = add("honest");
        for (int i = 0; i < 12; ++i) add("address " + std::to_string(i));
        if (!slow.entry.evicted()) ++survived;
        peers_.clear();
    }
    EXPECT_GT(survived, 30);
    EXPECT_LT(survived, 100);
}

// S2: those that have finished TLS are in nobody's way who has not.
TEST_F(HandshakeTableTest, WhoHasFinishedTlsHasPlacesOfItsOwn) {
    Peer& secured = add("crowd");
    secured.entry.on_secured();
    for (int i = 0; i < 1000; ++i) add("crowd");
    EXPECT_FALSE(secured.entry.evicted());
    std::vector<Peer*> more;
    for (int i = 0; i < 20; ++i) {
        more.push_back(&add("crowd"));
        more.back()->entry.on_secured();
    }
    EXPECT_TRUE(secured.entry.evicted()) << "they share half of the places";
    Peer& fresh = add("other");
    for (int i = 0; i < 1000; ++i) add("crowd").entry.on_secured();
    EXPECT_FALSE(fresh.entry.evicted());
}

// S2: a proxy has many clients, so having many connections is no fault of it.
TEST_F(HandshakeTableTest, AProxyIsNotOneSource) {
    std::vector<Peer*> behind;
    for (int i = 0; i < 8; ++i) behind.push_back(&add("proxy", HandshakeTable::Peer::proxy));
    for (int i = 0; i < 1000; ++i) add("flood");
    for (const Peer* peer : behind) EXPECT_FALSE(peer->entry.evicted());
    EXPECT_EQ(behind.front()->entry.source(), "proxy") << "which has its turns as one";
    EXPECT_EQ(table_.size(), 10u);
    peers_.clear();
    EXPECT_EQ(table_.size(), 0u);
}

class HandshakeTurnsTest : public HandshakeTableTest {
protected:
    static net::awaitable<void> take_turn(HandshakeTurns& turns, HandshakeTable::Entry& entry,
                                          std::vector<std::string>& order) {
        HandshakeTurns::Pace pace(turns, entry);
        const bool admitted = co_await pace.begin_step();
        order.push_back(admitted ? entry.source() : "gone");
        if (admitted) pace.end_step();
    }

    HandshakeTurns turns_{context_.get_executor()};
    std::vector<std::string> order_;
};

// S5: one source after the other, however many each has.
TEST_F(HandshakeTurnsTest, SourcesTakeTurns) {
    for (const auto* source : {"flood", "flood", "flood", "flood", "honest"})
        net::spawn(context_, take_turn(turns_, add(source).entry, order_));
    context_.run();
    ASSERT_EQ(order_.size(), 5u);
    EXPECT_EQ(order_[0], "flood");
    EXPECT_TRUE(order_[1] == "honest" || order_[2] == "honest");
}

TEST_F(HandshakeTurnsTest, WhoIsEvictedWaitsNoLonger) {
    HandshakeTurns::Pace holder(turns_, add("flood").entry);
    bool held = false;
    net::spawn(context_, [](HandshakeTurns::Pace& pace, bool& done) -> net::awaitable<void> {
        done = co_await pace.begin_step();
    }(holder, held));
    net::spawn(context_, take_turn(turns_, add("flood").entry, order_));
    context_.poll();
    ASSERT_TRUE(held);
    for (int i = 0; i < 20; ++i) add("flood");
    context_.restart();
    context_.poll();
    EXPECT_EQ(order_, std::vector<std::string>{"gone"});
}

}  // namespace
}  // namespace hpb::relay
