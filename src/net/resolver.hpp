#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/coro.hpp"

namespace hpb::net {

/// Names to addresses, for the whole process. A look-up is getaddrinfo, so that /etc/hosts,
/// nsswitch.conf and mDNS count, on a thread of its own; all who ask for a name at the same time
/// share one. A name that DNS does not answer for blocks its thread for as long as resolv.conf
/// says, so that such names may use only a part of the threads. Callable from any thread.
class Resolver {
public:
    using Addresses = std::vector<asio::ip::address>;
    using LookUp = std::function<Result<Addresses>(const std::string& name)>;

    /// Look-ups at once; those for relays may use the last few too.
    static constexpr std::size_t kMaxLookUps = 32;
    static constexpr std::size_t kReservedLookUps = 4;
    /// Look-ups at once of names whose last one was slow.
    static constexpr std::size_t kMaxSlowLookUps = 16;
    static constexpr std::chrono::milliseconds kSlow{1000};
    /// A look-up that takes as long gets no answer: others that want it are not kept waiting, and
    /// hear so after `kGlance`.
    static constexpr std::chrono::milliseconds kSilent{6000};
    static constexpr std::chrono::milliseconds kGlance{500};
    /// How long an answer is good, and a failure.
    static constexpr std::chrono::milliseconds kKeepAnswer{5000};
    static constexpr std::chrono::milliseconds kKeepFailure{1000};
    /// RFC 8767: the answer before is better than none, after a wait and within its time.
    static constexpr std::chrono::milliseconds kOldAnswerAfter{1800};
    static constexpr std::chrono::hours kKeepOldAnswer{1};
    static constexpr std::size_t kMaxNames = 1024;

    /// Whose look-up goes first.
    enum class For { target, relay };

    /// The process's.
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
    /// The name's addresses were no good: whoever asks next gets new ones.
    void forget(const std::string& name);

private:
    static void start_std_thread(std::function<void()> work);

    struct State;
    struct Wait;
    std::shared_ptr<State> state_;
};

}  // namespace hpb::net
