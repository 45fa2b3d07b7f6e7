#include "net/share.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "net/source.hpp"

namespace hpb::net {
namespace {

using Tickets = std::vector<Share::Ticket>;

std::size_t take_all(const std::shared_ptr<Share>& holder, Tickets& tickets) {
    std::size_t taken = 0;
    for (auto ticket = holder->try_take(); ticket; ticket = holder->try_take(), ++taken)
        tickets.push_back(std::move(ticket));
    return taken;
}

TEST(Share, TheRootGivesAllThereIs) {
    const auto root = Share::root(3);
    Tickets tickets;
    EXPECT_EQ(take_all(root, tickets), 3U);
    tickets.pop_back();
    EXPECT_EQ(root->free(), 1U);
    EXPECT_TRUE(root->try_take());
}

TEST(Share, AHolderLeavesTheNextOneItsPart) {
    const auto root = Share::root(900);
    Tickets tickets;
    EXPECT_EQ(take_all(root->child("a", 8), tickets), 800U);
    EXPECT_GE(take_all(root->child("b", 8), tickets), 80U);
    EXPECT_GE(root->free(), 1U);
}

TEST(Share, HoldersWithinAHolderShareItsPart) {
    const auto root = Share::root(10000);
    const auto entity = root->child("entity", Share::kEntityFactor);
    const auto attacker = entity->child("192.0.2.1", Share::kSourceFactor);
    Tickets tickets;
    for (int i = 0; i < 50; ++i) take_all(attacker->child(Share::kChannelFactor), tickets);
    const auto other = entity->child("192.0.2.2", Share::kSourceFactor);
    Tickets theirs;
    EXPECT_GE(take_all(other->child(Share::kChannelFactor), theirs), 100U);
    EXPECT_GE(take_all(root->child("another", Share::kEntityFactor), theirs), 100U);
}

TEST(Share, ANameIsOneHolderWhileAnybodyHoldsIt) {
    const auto root = Share::root(90);
    Share::Ticket ticket = root->child("a", 8)->try_take();
    EXPECT_EQ(root->child("a", 8)->held(), 1U);
    EXPECT_EQ(root->child("b", 8)->held(), 0U);
    ticket = {};
    EXPECT_EQ(root->child("a", 8)->held(), 0U);
    EXPECT_EQ(root->held(), 0U);
}

TEST(Share, TheLimitIsExactOnSeveralThreads) {
    const auto root = Share::root(1000);
    std::vector<Tickets> taken(4);
    {
        std::vector<std::jthread> threads;
        for (auto& tickets : taken) {
            threads.emplace_back([&] {
                const auto mine = root->child("a", 1000000);
                take_all(mine, tickets);
            });
        }
    }
    std::size_t total = 0;
    for (const auto& tickets : taken) total += tickets.size();
    EXPECT_EQ(total, 1000U);
    taken.clear();
    EXPECT_EQ(root->held(), 0U);
}

TEST(Source, IsTheAddressOrThePrefixOfItsNetwork) {
    EXPECT_EQ(source_key(std::string("192.0.2.1")), "192.0.2.1");
    EXPECT_EQ(source_key(std::string("::ffff:192.0.2.1")), "192.0.2.1");
    EXPECT_EQ(source_key(std::string("2001:db8:1:2:3:4:5:6")), "2001:db8:1:2::/64");
    EXPECT_EQ(source_key(std::string("2001:db8:1:2::9")),
              source_key(std::string("2001:db8:1:2:ffff::1")));
    EXPECT_EQ(source_key(std::string("not an address")), "");
}

}  // namespace
}  // namespace hpb::net
