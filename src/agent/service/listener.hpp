#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/backoff.hpp"
#include "agent/negotiation.hpp"
#include "agent/service/rendezvous.hpp"
#include "agent/service/service_context.hpp"
#include "agent/service/session_host.hpp"
#include "base/token_bucket.hpp"
#include "net/signal.hpp"
#include "ops/line_gate.hpp"

namespace hpb::agent::service {

/// The control channel of one entity: registers, handles accept messages, renews its token, and
/// reconnects whenever it is lost. Lives on one thread; its channels are spread over all of them.
class Listener : public std::enable_shared_from_this<Listener> {
public:
    /// Rate limit on rendezvous that a relay may request, for all senders together.
    static constexpr double kRendezvousPerSecond = 500;
    static constexpr double kRendezvousAtOnce = 2000;
    /// The same per source of senders.
    static constexpr double kSourceRendezvousPerSecond = kRendezvousPerSecond / 2;
    static constexpr double kSourceRendezvousAtOnce = kRendezvousAtOnce / 2;
    static constexpr std::size_t kRendezvousSources = 1024;
    /// Senders beyond the rate wait for their turn for this long at most, source and all together
    /// each; those that would have to wait longer are left to the relay.
    static constexpr std::chrono::seconds kLongestTurn{5};

    /// Each is called at most once, on the listener's thread.
    struct Events {
        std::function<void()> on_registered;  ///< the first time
        std::function<void(Error)> on_fatal;  ///< instead: retrying will not help
    };

    Listener(const net::asio::any_io_executor& executor,
             std::shared_ptr<const ServiceContext> context, config::ServiceEntity entity,
             Events events);

    /// Runs until stop().
    static net::awaitable<void> run(std::shared_ptr<Listener> self);
    /// On the listener's thread.
    void stop();

    [[nodiscard]] net::asio::any_io_executor executor() { return wake_.executor(); }

private:
    struct Control;
    enum class Registration { never, registered, lost };

    [[nodiscard]] net::awaitable<Error> serve_once();
    [[nodiscard]] net::awaitable<Result<RelayDialer::Registration>> register_once();
    [[nodiscard]] net::awaitable<Result<void>> learn_targets();
    [[nodiscard]] Result<hc::TargetMap> merge_targets(const hc::RuntimeInformation& info) const;
    void use_targets(const hc::TargetMap& targets);
    [[nodiscard]] net::awaitable<Error> read_messages(std::shared_ptr<Control> control);
    static net::awaitable<void> keep(std::shared_ptr<Listener> self,
                                     std::shared_ptr<Control> control);
    static net::awaitable<void> answer(std::shared_ptr<Control> control, std::string message,
                                       Quota::Ticket pending);
    void on_message(const std::shared_ptr<Control>& control, const std::string& text);
    void on_accept(hc::AcceptMessage accept);
    static net::awaitable<void> admit_in_turn(std::shared_ptr<Listener> self,
                                              hc::AcceptMessage accept, ChannelChoice choice);
    void admit(hc::AcceptMessage accept, const ChannelChoice& choice, const std::string& source);
    void note_ignored(const std::string& source, const std::string& whose, double rate);
    void turn_away(hc::AcceptMessage accept, int status, std::string why);
    void on_request(const std::shared_ptr<Control>& control, const hc::RequestMessage& request);
    void on_connected();
    /// @return how long to wait before the next attempt.
    [[nodiscard]] std::chrono::milliseconds on_failure(const Error& error);
    [[nodiscard]] net::awaitable<void> pause(std::chrono::milliseconds time);

    std::shared_ptr<const ServiceContext> context_;
    config::ServiceEntity options_;
    Events events_;
    net::Signal wake_;
    // The same for all control channels of this process: a new one replaces the last, and client
    // agents that resume a session find it again.
    std::string id_;
    std::string instance_;
    std::shared_ptr<SessionHost> sessions_;
    std::shared_ptr<const ServedEntity> entity_;
    std::shared_ptr<TargetPlaces> places_;  // of the entity's target connections
    std::shared_ptr<net::Share> channels_;
    std::shared_ptr<Control> control_;
    TokenBucket rendezvous_rate_{kRendezvousPerSecond, kRendezvousAtOnce};
    SourceBuckets rendezvous_of_{kSourceRendezvousPerSecond, kSourceRendezvousAtOnce,
                                 kRendezvousSources};
    ops::LineGate rendezvous_lines_;
    std::shared_ptr<Quota> answers_;  // that wait for the relay to take them
    Backoff backoff_;
    Patience patience_;
    Registration registration_ = Registration::never;
    bool stopping_ = false;
    bool told_of_dropped_offers_ = false;
    net::Clock::time_point connected_at_;
    net::Clock::time_point lost_at_;
    boost::system::error_code last_failure_;
};

}  // namespace hpb::agent::service
