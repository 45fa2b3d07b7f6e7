#include "net/dial/resolver.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>

#include "support/loopback.hpp"
#include "support/reached.hpp"

namespace hpb::test {
namespace {

using net::Resolver;
using testing::AllOf;
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

/// Threads as a system at its limit gives them out.
struct FakeThreads {
    void start(std::function<void()> work) {
        if (++started > allowed) throw std::system_error(EAGAIN, std::generic_category());
        std::thread(std::move(work)).detach();
    }

    std::atomic<int> allowed{1'000};
    std::atomic<int> started{0};
};

class ResolverTest : public Loopback {
protected:
    ResolverTest()
        : resolver(
              [fake = fake_](const std::string& name) { return fake->look_up(name); },
              [fake = threads_](std::function<void()> work) { fake->start(std::move(work)); }) {}
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
    awaitable<void> no_thread();
    awaitable<void> one_thread();

private:
    std::shared_ptr<FakeDns> fake_ = std::make_shared<FakeDns>();
    std::shared_ptr<FakeThreads> threads_ = std::make_shared<FakeThreads>();

protected:
    FakeDns& dns = *fake_;
    FakeThreads& threads = *threads_;
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
    const Reached queued(ops::Limit::queued_look_ups);
    const Reached unanswered(ops::Limit::unanswered_look_ups);
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
    EXPECT_EQ(queued.times(), 100 - room + 1);
    EXPECT_EQ(unanswered.times(), 101u);
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
    const Reached old(ops::Limit::old_answers);
    EXPECT_EQ(co_await ask("a"), "192.0.2.1") << "no answer: the one before";
    EXPECT_EQ(old.times(), 1u);
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

awaitable<void> ResolverTest::no_thread() {
    threads.allowed = 0;
    const auto began = net::Clock::now();
    EXPECT_THAT(co_await ask("a"), HasSubstr("the name a cannot be resolved: no thread can be "
                                             "started for it (Resource temporarily unavailable); "
                                             "raise the limit of processes (TasksMax, ulimit -u)"));
    EXPECT_LT(net::Clock::now() - began, 1s) << "at once";
    const int tried = threads.started;
    EXPECT_THAT(co_await ask("a"), HasSubstr("no thread")) << "kept for a moment";
    EXPECT_EQ(threads.started, tried);
    threads.allowed = 1'000;
    EXPECT_EQ(co_await ask("b"), "192.0.2.1");
    const auto soon = net::Clock::now() + 2 * Resolver::kKeepFailure;
    std::string found;
    while (found != "192.0.2.1" && net::Clock::now() < soon) {
        found = co_await ask("a");
        co_await net::sleep_for(10ms);
    }
    EXPECT_EQ(found, "192.0.2.1") << "it heals by itself";
}

// F4: what needs a thread that there is not fails with a line that names it, and heals by itself.
TEST_F(ResolverTest, NoThreadAtAllIsSaidAtOnce) {
    run(no_thread());
}

awaitable<void> ResolverTest::one_thread() {
    threads.allowed = 1;
    EXPECT_EQ(co_await ask("a"), "192.0.2.1");
    dns.set(dns.silent, "silent", true);
    int done = 0;
    net::spawn(context.get_executor(), ask_beside(*this, "silent", done));
    co_await until([&] { return dns.times("silent") == 1; });
    EXPECT_EQ(co_await ask("a"), "192.0.2.1") << "what is known needs no thread";
    EXPECT_THAT(co_await ask("b", Resolver::For::target, 200ms),
                AllOf(HasSubstr("the name b could not be looked up in time"), HasSubstr("silent"),
                      HasSubstr("no further thread can be started (Resource temporarily")));
    threads.allowed = 1'000;
    EXPECT_EQ(co_await ask("b"), "192.0.2.1") << "the one who asks again has a thread started";
    dns.set(dns.silent, "silent", false);
    co_await until([&] { return done == 1; });
}

// F4: with no further thread, names wait for each other, and no longer than that.
TEST_F(ResolverTest, WithoutAFurtherThreadNamesWaitForEachOther) {
    run(one_thread());
}

}  // namespace
}  // namespace hpb::test
