#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/token_bucket.hpp"
#include "net/coro.hpp"
#include "net/share.hpp"

namespace hpb::agent::service {

/// Something that holds target connections of a sender and can give up the one that has been idle
/// for longest: a v1 channel, which is not told when applications leave.
class PlaceHolder {
public:
    PlaceHolder() = default;
    virtual ~PlaceHolder() = default;
    PlaceHolder(const PlaceHolder&) = delete;
    PlaceHolder& operator=(const PlaceHolder&) = delete;

    /// The thread it lives on.
    [[nodiscard]] virtual net::asio::any_io_executor holder_executor() const = 0;
    /// Since when its longest-idle connection has been idle; max() if it has none. On its thread.
    [[nodiscard]] virtual net::Clock::time_point idle_since() = 0;
    /// Ends that connection. On its thread.
    virtual void give_up_longest_idle() = 0;
};

/// The target connections of all channels and sessions from one source address on one hybrid
/// connection: their share of MaxConnections, and which v1 channels can make room.
/// Thread-safe; nothing on the data path touches it.
class SenderPlaces : public std::enable_shared_from_this<SenderPlaces> {
public:
    /// Rate limit of target dials by the v1 channels of one sender: per second, and at once; others
    /// wait.
    static constexpr double kOpensPerSecond = 1000;
    static constexpr double kOpensAtOnce = 2000;

    explicit SenderPlaces(std::shared_ptr<net::Share> share) : share_(std::move(share)) {}

    [[nodiscard]] const std::shared_ptr<net::Share>& share() const { return share_; }

    /// The holder has connections from now on. `since`: not later than idle_since().
    void add(const std::weak_ptr<PlaceHolder>& holder, const PlaceHolder* key,
             net::Clock::time_point since);
    /// It has none any more.
    void remove(const PlaceHolder* key);

    /// Asks the holder with the longest-idle connection to end it.
    /// @param on_done  called once, on any thread; false: there is none.
    void make_room(std::function<void(bool)> on_done);

    /// @return how long the next connection has to wait, because the sender has opened many
    /// recently.
    [[nodiscard]] net::Clock::duration open_delay(net::Clock::time_point now);
    [[nodiscard]] bool has_holders();

private:
    using Entry = std::pair<net::Clock::time_point, const PlaceHolder*>;
    struct Holder {
        std::weak_ptr<PlaceHolder> it;
        net::Clock::time_point since;
    };

    [[nodiscard]] std::shared_ptr<PlaceHolder> first(net::Clock::time_point& next_since);
    void ask(std::shared_ptr<PlaceHolder> holder, net::Clock::time_point next_since,
             std::function<void(bool)> on_done);

    const std::shared_ptr<net::Share> share_;
    std::mutex mutex_;
    TokenBucket opens_{kOpensPerSecond, kOpensAtOnce};
    std::set<Entry> order_;  // by the last known value, which is never too late
    std::unordered_map<const PlaceHolder*, Holder> holders_;
};

/// The target connections of one hybrid connection, by source address.
class TargetPlaces {
public:
    explicit TargetPlaces(std::shared_ptr<net::Share> share) : share_(std::move(share)) {}

    /// @param source  net::source_key() of the sender's address. The same object for all callers
    /// while any of them holds it.
    [[nodiscard]] std::shared_ptr<SenderPlaces> sender(const std::string& source);

    /// The sender that holds the most of those who can make room; nullptr: none can.
    [[nodiscard]] std::shared_ptr<SenderPlaces> fullest();

    [[nodiscard]] const std::shared_ptr<net::Share>& share() const { return share_; }

private:
    const std::shared_ptr<net::Share> share_;
    std::mutex mutex_;
    std::unordered_map<std::string, std::weak_ptr<SenderPlaces>> senders_;
    std::size_t sweep_at_ = 64;
};

}  // namespace hpb::agent::service
