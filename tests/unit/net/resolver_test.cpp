#include "net/resolver.hpp"

#include <gmock/gmock.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "support/loopback.hpp"

namespace hpb::test {
namespace {

using net::Resolver;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

/// DNS as a test wants it. Shared with the resolver's threads, which may outlive the test.
struct FakeDns {
    Result<Resolver::Addresses> look_up(const std::string& name) {
        std::unique_lock lock(mutex);
        ++asked[name];
        most = std::max(most, ++now);
        answered.wait(lock, [&] { return over || !silent.contains(name); });
        --now;
        if (failing.contains(name))
            return Error(net::asio::error::host_not_found_try_again, name + ": no answer");
        if (over) return Error(net::asio::error::host_not_found, name + ": over");
        return Resolver::Addresses{net::asio::ip::make_address("192.0.2.1")};
    }
    void set(std::set<std::string>& which, const std::string& name, bool is) {
        const std::lock_guard lock(mutex);
        is ? (void)which.insert(name) : (void)which.erase(name);
        answered.notify_all();
    }
    int times(const std::string& name) {
        const std::lock_guard lock(mutex);
        return asked[name];
    }

    std::mutex mutex;
    std::condition_variable answered;
    std::map<std::string, int> asked;
    std::set<std::string> silent;
    std::set<std::string> failing;
    std::size_t now = 0;
    std::size_t most = 0;
    bool over = false;
};

class ResolverTest : public Loopback {
protected:
    ResolverTest()
        : resolver([fake = fake_](const std::string& name) { return fake->look_up(name); }) {}
    ~ResolverTest() override {
        const std::lock_guard lock(fake_->mutex);
        fake_->over = true;
        fake_->answered.notify_all();
    }

    awaitable<std::string> ask(std::string name, Resolver::For whom = Resolver::For::target,
                               std::chrono::milliseconds limit = 5s) {
        const auto found =
            co_await resolver.resolve(std::move(name), net::Clock::now() + limit, whom);
        co_return found ? found->front().to_string() : found.error().message();
    }
    static awaitable<void> ask_beside(ResolverTest& test, std::string name, int& done) {
        (void)co_await test.ask(std::move(name), Resolver::For::target, 300ms);
        ++done;
    }

    awaitable<void> shares();
    awaitable<void> crowd();
    awaitable<void> old_answer();
    awaitable<void> silence();

private:
    std::shared_ptr<FakeDns> fake_ = std::make_shared<FakeDns>();

protected:
    FakeDns& dns = *fake_;
    Resolver resolver;
};

awaitable<void> ResolverTest::shares() {
    dns.set(dns.silent, "a", true);
    int done = 0;
    for (int i = 0; i < 10; ++i) net::spawn(context.get_executor(), ask_beside(*this, "a", done));
    co_await until([&] { return dns.times("a") == 1; });
    EXPECT_EQ(co_await ask("b"), "192.0.2.1");
    dns.set(dns.silent, "a", false);
    co_await until([&] { return done == 10; });
    EXPECT_EQ(dns.times("a"), 1);
    EXPECT_EQ(co_await ask("a"), "192.0.2.1");
    EXPECT_EQ(dns.times("a"), 1) << "an answer is kept";
    resolver.forget("a");
    EXPECT_EQ(co_await ask("a"), "192.0.2.1");
    EXPECT_EQ(dns.times("a"), 2) << "and forgotten on demand";
}

// F4: a name is looked up once for all who wait, and others do not wait for it.
TEST_F(ResolverTest, OneLookUpANameSharedByAllWhoWait) {
    run(shares());
}

awaitable<void> ResolverTest::crowd() {
    int done = 0;
    for (int i = 0; i < 100; ++i) {
        dns.set(dns.silent, "silent" + std::to_string(i), true);
        net::spawn(context.get_executor(), ask_beside(*this, "silent" + std::to_string(i), done));
    }
    const auto room = Resolver::kMaxLookUps - Resolver::kReservedLookUps;
    co_await until([&] {
        const std::lock_guard lock(dns.mutex);
        return dns.now == room;
    });
    EXPECT_EQ(co_await ask("relay", Resolver::For::relay), "192.0.2.1");
    const std::string late = co_await ask("late", Resolver::For::target, 200ms);
    EXPECT_THAT(late, HasSubstr("the name late could not be looked up in time: 28 other look-ups"));
    EXPECT_THAT(late, HasSubstr("for silent"));
    co_await until([&] { return done == 100; });
    const std::lock_guard lock(dns.mutex);
    EXPECT_LE(dns.most, room + 1);
}

// F4: look-ups are bounded, those for the relay have places of their own, and the line says who is
// in the way.
TEST_F(ResolverTest, ManySilentNamesLeaveRoomForTheRelay) {
    run(crowd());
}

awaitable<void> ResolverTest::old_answer() {
    EXPECT_EQ(co_await ask("a"), "192.0.2.1");
    dns.set(dns.failing, "a", true);
    resolver.forget("a");
    EXPECT_EQ(co_await ask("a"), "192.0.2.1") << "no answer: the one before";
    EXPECT_EQ(dns.times("a"), 2);
    EXPECT_THAT(co_await ask("new"), "192.0.2.1");
    dns.set(dns.failing, "other", true);
    EXPECT_EQ(co_await ask("other"), "other: no answer");
    EXPECT_EQ(co_await ask("other"), "other: no answer");
    EXPECT_EQ(dns.times("other"), 1) << "a failure is kept for a moment too";
}

TEST_F(ResolverTest, TheAnswerBeforeIsBetterThanNone) {
    run(old_answer());
}

awaitable<void> ResolverTest::silence() {
    dns.set(dns.silent, "a", true);
    EXPECT_THAT(co_await ask("a", Resolver::For::target, 1100ms),
                HasSubstr("the name a could not be resolved in time: DNS does not answer"));
    dns.set(dns.failing, "a", true);
    dns.set(dns.silent, "a", false);
    co_await until([&] {
        const std::lock_guard lock(dns.mutex);
        return dns.now == 0;
    });
    dns.set(dns.silent, "a", true);
    net::asio::steady_timer kept(context, Resolver::kKeepFailure);
    co_await kept.async_wait(net::kAsTuple);
    const auto began = net::Clock::now();
    EXPECT_THAT(co_await ask("a"), HasSubstr("DNS does not answer"));
    EXPECT_LT(net::Clock::now() - began, 2s) << "known to be silent";
    dns.set(dns.failing, "a", false);
    dns.set(dns.silent, "a", false);
    co_await until([&] { return dns.times("a") == 2; });
    kept.expires_after(Resolver::kKeepFailure);
    co_await kept.async_wait(net::kAsTuple);
    EXPECT_EQ(co_await ask("a"), "192.0.2.1");
}

// F4: who asks for a name that DNS has not answered for hears so soon, and it heals.
TEST_F(ResolverTest, ASilentNameFailsSoonUntilItAnswers) {
    run(silence());
}

}  // namespace
}  // namespace hpb::test
