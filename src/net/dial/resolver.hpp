#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/coro.hpp"

namespace hpb::net {

/// Names to addresses, for the whole process. A look-up is getaddrinfo on its own thread, so that
/// /etc/hosts, nsswitch.conf and mDNS apply; concurrent requests for a name share one. A name for
/// which DNS does not answer blocks its thread for as long as resolv.conf says, so such names may
/// use only some of the threads. Callable from any thread.
class Resolver {
public:
    using Addresses = std::vector<asio::ip::address>;
    using LookUp = std::function<Result<Addresses>(const std::string& name)>;

    /// Limit on concurrent look-ups; the last few are for relays only.
    static constexpr std::size_t kMaxLookUps = 32;
    static constexpr std::size_t kReservedLookUps = 4;
    /// Limit on concurrent look-ups of names whose last one was slow.
    static constexpr std::size_t kMaxSlowLookUps = 16;
    static constexpr std::chrono::milliseconds kSlow{1000};
    /// A look-up that takes this long is considered unanswered: other requests for the name fail
    /// after `kGlance`.
    static constexpr std::chrono::milliseconds kSilent{6000};
    static constexpr std::chrono::milliseconds kGlance{500};
    /// How long an answer is cached, and a failure.
    static constexpr std::chrono::milliseconds kKeepAnswer{5000};
    static constexpr std::chrono::milliseconds kKeepFailure{1000};
    /// RFC 8767: a stale answer is better than none, after a wait and within a time limit.
    static constexpr std::chrono::milliseconds kOldAnswerAfter{1800};
    static constexpr std::chrono::hours kKeepOldAnswer{1};
    static constexpr std::size_t kMaxNames = 1024;

    /// Priority of a look-up.
    enum class For { target, relay };

    /// The process-wide instance.
    [[nodiscard]] static Resolver& instance();
    /// Has the function run on a new thread; throws std::system_error if there can be none.
    using StartThread = std::function<void(std::function<void()>)>;
    /// @param look_up  instead of getaddrinfo; may block. @param start_thread  for tests.
    explicit Resolver(LookUp look_up, StartThread start_thread = start_std_thread);
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// @return the name's addresses, or an error that names what did not answer.
    [[nodiscard]] awaitable<Result<Addresses>> resolve(std::string name, Clock::time_point deadline,
                                                       For whom);
    /// The name's addresses failed: the next request resolves it again.
    void forget(const std::string& name);

private:
    static void start_std_thread(std::function<void()> work);

    struct State;
    struct Wait;
    std::shared_ptr<State> state_;
};

}  // namespace hpb::net
