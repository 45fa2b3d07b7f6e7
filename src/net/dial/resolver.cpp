#include "net/dial/resolver.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "net/descriptors.hpp"
#include "net/signal.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::net {
namespace {

/// Threads that stay when there is nothing to do, in case that later none can be started.
constexpr std::size_t kKeptThreads = 2;
constexpr std::chrono::seconds kIdleThread{30};

error_code code_of(int failure) {
    switch (failure) {
        case EAI_AGAIN:
            return asio::error::host_not_found_try_again;
        case EAI_FAIL:
            return asio::error::no_recovery;
        case EAI_MEMORY:
            return asio::error::no_memory;
        case EAI_SYSTEM:
            return {errno, boost::system::system_category()};
        default:
            return asio::error::host_not_found;
    }
}

std::string cannot_resolve(const std::string& name) {
    return "the name " + name + " cannot be resolved";
}

Result<Resolver::Addresses> look_up_in_system(const std::string& name) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failure = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
    if (failure != 0) {
        const error_code code = code_of(failure);
        std::string why = failure == EAI_SYSTEM ? code.message() : ::gai_strerror(failure);
        if (descriptors_are_short()) why += "; " + descriptor_shortage();
        return Error(code, cannot_resolve(name) + " (" + why + ")");
    }
    Resolver::Addresses addresses;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        tcp::endpoint endpoint;
        if (each->ai_addrlen > endpoint.capacity()) continue;
        std::copy_n(reinterpret_cast<const char*>(each->ai_addr), each->ai_addrlen,
                    reinterpret_cast<char*>(endpoint.data()));
        endpoint.resize(each->ai_addrlen);
        addresses.push_back(endpoint.address());
    }
    ::freeaddrinfo(found);
    return addresses;
}

}  // namespace

/// Somebody who waits for a name, on a thread of his own.
struct Resolver::Wait {
    explicit Wait(const asio::any_io_executor& executor) : done(executor) {}
    Signal done;
    bool finished = false;  // of the executor's thread
};

/// Outlives the resolver: threads may be within getaddrinfo when the process ends.
struct Resolver::State : std::enable_shared_from_this<Resolver::State> {
    struct Name {
        explicit Name(std::string its_text) : text(std::move(its_text)) {}

        std::string text;
        bool queued = false;
        bool running = false;
        bool for_relay = false;
        bool slow = false;        // the last look-up was
        bool unanswered = false;  // the last look-up was slow and failed
        Clock::time_point began;  // while it is running
        std::optional<Result<Addresses>> answer;
        Clock::time_point fresh_until;
        Addresses old;  // the last good answer
        Clock::time_point old_until;
        std::vector<std::shared_ptr<Wait>> waiting;

        /// The answer that there is, for somebody who asks.
        [[nodiscard]] const Result<Addresses>& settled() const {
            if (!*answer && unanswered) ops::reached(ops::Limit::unanswered_look_ups);
            return *answer;
        }
        /// The last good answer, where there is no new one.
        [[nodiscard]] const Addresses& old_for_want() const {
            ops::reached(ops::Limit::old_answers);
            return old;
        }
        [[nodiscard]] bool is_silent(Clock::time_point now) const {
            return unanswered || (running && now - began >= kSilent);
        }
    };
    using NamePtr = std::shared_ptr<Name>;

    State(LookUp how, StartThread start)
        : look_up(std::move(how)), start_thread_with(std::move(start)) {}

    NamePtr entry(const std::string& name, Clock::time_point now);
    void ask(const NamePtr& name, For whom);
    void finish(Name& name, Result<Addresses> answer, Clock::time_point now);
    bool start_thread();
    NamePtr next();
    [[nodiscard]] bool may_run(const Name& name, std::size_t slow) const;
    [[nodiscard]] std::size_t slow_now() const;
    [[nodiscard]] Error lateness(const Name& name) const;
    static void work(const std::shared_ptr<State>& self);

    LookUp look_up;
    StartThread start_thread_with;
    std::mutex mutex;
    std::condition_variable changed;
    std::unordered_map<std::string, NamePtr> names;
    std::deque<NamePtr> queue;
    std::vector<NamePtr> running;
    std::size_t threads = 0;
    std::size_t idle = 0;
    bool stopping = false;
    std::string no_thread;  // why the last attempt to start one failed
    ops::LogLimiter lines{std::chrono::seconds(10)};
};

Resolver::State::NamePtr Resolver::State::entry(const std::string& name, Clock::time_point now) {
    auto& found = names[name];
    if (found) return found;
    found = std::make_shared<Name>(name);
    const NamePtr made = found;
    if (names.size() > kMaxNames) {
        std::erase_if(names, [&](const auto& each) {
            const Name& other = *each.second;
            return each.second != made && !other.queued && !other.running &&
                   now >= other.fresh_until;
        });
    }
    return made;
}

/// Has the name looked up, unless that is under way. If it waits for a thread, there may be one
/// now.
void Resolver::State::ask(const NamePtr& name, For whom) {
    name->for_relay = name->for_relay || whom == For::relay;
    if (name->running) return;
    if (!std::exchange(name->queued, true)) queue.push_back(name);
    if (queue.size() > idle && threads < kMaxLookUps && !start_thread() && threads == 0) {
        std::erase(queue, name);
        name->queued = false;
        finish(*name,
               Error(errc::limit_exceeded, cannot_resolve(name->text) +
                                               ": no thread can be started for it (" + no_thread +
                                               "); raise the limit of processes (TasksMax, "
                                               "ulimit -u)"),
               Clock::now());
        return;
    }
    const bool full = running.size() + queue.size() > kMaxLookUps - kReservedLookUps;
    if (!name->for_relay && (full || !may_run(*name, slow_now())))
        ops::reached(ops::Limit::queued_look_ups);
    changed.notify_one();
}

bool Resolver::State::start_thread() {
    // Signals are for the threads that wait for them.
    sigset_t blocked;
    sigset_t before;
    ::sigfillset(&blocked);
    // Real-time signals reach a thread by name: that is how each one is told to give up its rights.
    for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) ::sigdelset(&blocked, number);
    ::pthread_sigmask(SIG_SETMASK, &blocked, &before);
    bool started = true;
    try {
        start_thread_with([self = shared_from_this()] { work(self); });
        ++threads;
        no_thread.clear();
    } catch (const std::system_error& error) {
        started = false;
        ops::reached(ops::Limit::missing_threads);
        no_thread = error.code().message();
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    std::uint64_t suppressed = 0;
    if (!started && threads > 0 && lines.admit(Clock::now(), suppressed)) {
        ops::log_warn("net",
                      "no further thread can be started for looking up names ({}), so look-ups "
                      "wait for each other; raise the limit of processes (TasksMax, ulimit -u)",
                      no_thread);
    }
    return started;
}

/// @param slow  slow_now().
bool Resolver::State::may_run(const Name& name, std::size_t slow) const {
    if (name.for_relay) return true;
    const bool room = running.size() + kReservedLookUps < kMaxLookUps;
    return room && (!name.slow || slow < kMaxSlowLookUps);
}

/// How many of the look-ups under way are of names whose last one was slow.
std::size_t Resolver::State::slow_now() const {
    return static_cast<std::size_t>(std::count_if(running.begin(), running.end(),
                                                  [](const NamePtr& each) { return each->slow; }));
}

/// The next name to look up, or nullptr if there is none that may be now.
Resolver::State::NamePtr Resolver::State::next() {
    const std::size_t slow = slow_now();
    auto chosen = queue.end();
    for (auto each = queue.begin(); each != queue.end(); ++each) {
        if ((*each)->for_relay) {
            chosen = each;
            break;
        }
        const bool better = chosen == queue.end() || ((*chosen)->slow && !(*each)->slow);
        if (better && may_run(**each, slow)) chosen = each;
    }
    if (chosen == queue.end()) return nullptr;
    NamePtr name = *chosen;
    queue.erase(chosen);
    return name;
}

void Resolver::State::work(const std::shared_ptr<State>& self) {
    std::unique_lock lock(self->mutex);
    while (!self->stopping) {
        const NamePtr name = self->next();
        if (!name) {
            ++self->idle;
            const auto woken = self->changed.wait_for(lock, kIdleThread);
            --self->idle;
            if (woken == std::cv_status::timeout && self->queue.empty() &&
                self->threads > kKeptThreads)
                break;
            continue;
        }
        name->queued = false;
        name->running = true;
        name->began = Clock::now();
        self->running.push_back(name);
        lock.unlock();
        auto answer = self->look_up(name->text);
        lock.lock();
        const auto now = Clock::now();
        std::erase(self->running, name);
        name->running = false;
        name->slow = now - name->began >= kSlow;
        name->unanswered = name->slow && !answer;
        self->finish(*name, std::move(answer), now);
        // Those that were not allowed before may be now.
        self->changed.notify_one();
    }
    --self->threads;
}

void Resolver::State::finish(Name& name, Result<Addresses> answer, Clock::time_point now) {
    name.fresh_until = now + (answer ? kKeepAnswer : kKeepFailure);
    if (answer) {
        name.old = *answer;
        name.old_until = now + kKeepOldAnswer;
    } else if (answer.error().code() == asio::error::host_not_found) {
        name.old.clear();  // that there is none is an answer too
    }
    name.for_relay = false;
    name.answer = std::move(answer);
    for (const auto& each : std::exchange(name.waiting, {})) {
        // A weak one: what is left behind in a context's queue must not be all that keeps it.
        asio::post(each->done.executor(), [weak = std::weak_ptr(each)] {
            const auto wait = weak.lock();
            if (!wait) return;
            wait->finished = true;
            wait->done.notify_all();
        });
    }
}

/// Why there is no answer yet.
Error Resolver::State::lateness(const Name& name) const {
    if (!name.queued || running.empty()) {
        return {errc::timed_out, "the name " + name.text +
                                     " could not be resolved in time: DNS does not answer; check "
                                     "DNS"};
    }
    const auto oldest =
        std::min_element(running.begin(), running.end(),
                         [](const NamePtr& a, const NamePtr& b) { return a->began < b->began; });
    std::string text = "the name " + name.text +
                       " could not be looked up in time: " + std::to_string(running.size()) +
                       " other look-ups wait for an answer from DNS, the oldest for " +
                       (*oldest)->text;
    if (!no_thread.empty()) text += ", and no further thread can be started (" + no_thread + ")";
    return {errc::timed_out, std::move(text)};
}

Resolver& Resolver::instance() {
    // Never destroyed: its threads may outlive main().
    static auto* const resolver = new Resolver(look_up_in_system);
    return *resolver;
}

void Resolver::start_std_thread(std::function<void()> work) {
    std::thread(std::move(work)).detach();
}

Resolver::Resolver(LookUp look_up, StartThread start_thread)
    : state_(std::make_shared<State>(std::move(look_up), std::move(start_thread))) {}

Resolver::~Resolver() {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
}

awaitable<Result<Resolver::Addresses>> Resolver::resolve(std::string name,
                                                         Clock::time_point deadline, For whom) {
    const auto state = state_;
    const auto began = Clock::now();
    // What waits is taken off the list when this coroutine ends, also with its context.
    struct Place {
        ~Place() {
            if (!wait) return;
            const std::lock_guard lock(state->mutex);
            std::erase(name->waiting, wait);
        }
        std::shared_ptr<State> state;
        State::NamePtr name;
        std::shared_ptr<Wait> wait;
    } place{state, {}, {}};
    bool has_old = false;
    {
        const auto executor = co_await asio::this_coro::executor;
        const std::lock_guard lock(state->mutex);
        place.name = state->entry(name, began);
        State::Name& entry = *place.name;
        if (!entry.answer || began >= entry.fresh_until) state->ask(place.name, whom);
        if (entry.answer && began < entry.fresh_until && (*entry.answer || entry.old.empty()))
            co_return entry.settled();
        has_old = !entry.old.empty() && began < entry.old_until;
        if (has_old) deadline = std::min(deadline, began + kOldAnswerAfter);
        if (entry.is_silent(began)) deadline = std::min(deadline, began + kGlance);
        if (has_old && entry.answer && began < entry.fresh_until) co_return entry.old_for_want();
        place.wait = std::make_shared<Wait>(executor);
        entry.waiting.push_back(place.wait);
    }
    while (!place.wait->finished && Clock::now() < deadline)
        (void)co_await place.wait->done.wait_until(deadline);
    const std::lock_guard lock(state->mutex);
    State::Name& entry = *place.name;
    if (place.wait->finished && (*entry.answer || entry.old.empty())) co_return entry.settled();
    if (has_old && !entry.old.empty()) co_return entry.old_for_want();
    ops::reached(ops::Limit::unanswered_look_ups);
    co_return state->lateness(entry);
}

void Resolver::forget(const std::string& name) {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->names.find(name);
    if (found != state_->names.end() && found->second->answer && *found->second->answer)
        found->second->fresh_until = {};
}

}  // namespace hpb::net
