#include "agent/service/listener.hpp"

#include <algorithm>
#include <utility>

#include "agent/negotiation.hpp"
#include "crypto/crypto.hpp"
#include "hc/tracking_id.hpp"
#include "net/descriptors.hpp"
#include "net/dial/forbidden_address.hpp"
#include "net/source.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::agent::service {
namespace {

constexpr const char* kComponent = "service";
/// Descriptors that are kept for each hybrid connection's way to the relay: a control channel and
/// rendezvous.
constexpr std::size_t kReserve = 4;
/// A request's body may follow its message on the control channel; the relay keeps both below 64
/// KiB.
constexpr std::size_t kMaxMessage = 256 * 1024;
constexpr std::chrono::seconds kKeepAlive{60};
constexpr std::chrono::seconds kPeerSilence{100};
constexpr std::chrono::milliseconds kMetadataLimit{10000};
constexpr std::chrono::seconds kCloseLimit{2};
/// Of silence that looks like death: a process that was stopped for a while finds its timers due
/// before it has read what arrived meanwhile.
constexpr std::chrono::milliseconds kSecondLook{100};
/// Of the secret by which the relay knows a listener that comes again.
constexpr std::size_t kInstanceBytes = 16;
constexpr std::size_t kMaxPendingAnswers = 64;
constexpr std::uint16_t kNormalClosure = 1000;

Backoff::Cause cause_of(const Error& error) {
    const bool unreachable = error.code() == make_error_code(relay_errc::unreachable) ||
                             error.code() == make_error_code(errc::closed);
    return unreachable ? Backoff::Cause::unreachable : Backoff::Cause::refused;
}

}  // namespace

struct Listener::Control {
    Control(net::WebSocket ws, const net::asio::any_io_executor& executor)
        : websocket(std::move(ws)), wake(executor) {}

    /// When a relay that stays silent from now on counts as lost.
    [[nodiscard]] net::Clock::time_point silence_limit() const {
        if (keep_alive.count() > 0) return websocket.last_received() + 2 * keep_alive;
        if (websocket.peer_pings()) return websocket.last_received() + kPeerSilence;
        return net::Clock::time_point::max();
    }

    net::WebSocket websocket;
    net::Signal wake;
    std::chrono::seconds keep_alive{0};  ///< agreed on with the relay; 0: nothing
    bool over = false;
    bool silent = false;  ///< for so long that it was given up
};

Listener::Listener(const net::asio::any_io_executor& executor,
                   std::shared_ptr<const ServiceContext> context, config::ServiceEntity entity,
                   Events events)
    : context_(std::move(context)),
      options_(std::move(entity)),
      events_(std::move(events)),
      wake_(executor),
      id_(hc::make_guid()),
      instance_(crypto::random_hex(kInstanceBytes)),
      sessions_(std::make_shared<SessionHost>(executor, context_, id_)),
      places_(std::make_shared<TargetPlaces>(
          context_->connections->child(options_.path, net::Share::kEntityFactor))),
      channels_(context_->channels->child(options_.path, net::Share::kEntityFactor)),
      answers_(std::make_shared<Quota>(kMaxPendingAnswers)),
      patience_(context_->options.session.keep_alive) {
    net::reserve_descriptors(kReserve);
}

net::awaitable<void> Listener::run(std::shared_ptr<Listener> self) {
    while (!self->stopping_) {
        const Error error = co_await self->serve_once();
        if (self->stopping_) break;
        if (self->registration_ == Registration::never && is_permanent(error)) {
            self->stopping_ = true;
            if (self->events_.on_fatal) self->events_.on_fatal(error);
            break;
        }
        co_await self->pause(self->on_failure(error));
    }
}

void Listener::stop() {
    stopping_ = true;
    sessions_->stop();
    wake_.notify_all();
    if (!control_) return;
    control_->websocket.send_close(kNormalClosure, "the agent stops");
    control_->over = true;
    control_->wake.notify_all();
}

net::awaitable<void> Listener::pause(std::chrono::milliseconds time) {
    const auto until = net::Clock::now() + time;
    while (!stopping_ && net::Clock::now() < until) (void)co_await wake_.wait_until(until);
}

net::awaitable<Error> Listener::serve_once() {
    if (!entity_) {
        const auto learned = co_await learn_targets();
        if (!learned) co_return learned.error();
    }
    auto registration = co_await register_once();
    if (!registration) co_return registration.error();
    if (stopping_) co_return Error(errc::closed);

    const auto control = std::make_shared<Control>(std::move(registration->websocket), executor());
    control->keep_alive = registration->keep_alive;
    control_ = control;
    on_connected();
    net::spawn(executor(), keep(shared_from_this(), control));
    const Error why = co_await read_messages(control);
    control_.reset();
    control->over = true;
    control->wake.notify_all();
    co_await control->websocket.close(kNormalClosure, "", kCloseLimit);
    co_return why;
}

net::awaitable<Result<RelayDialer::Registration>> Listener::register_once() {
    const RelayDialer::ListenOptions how{
        .keep_alive = context_->options.session.keep_alive,
        .instance = instance_,
        .dial_limit = patience_.limit(RelayDialer::kDialLimit),
        .answer_limit = patience_.limit(RelayDialer::kListenAnswerLimit)};
    const auto began = net::Clock::now();
    auto registration = co_await context_->dialer->listen(options_.path, id_, how);
    const bool slow = net::Clock::now() - began >= std::min(how.dial_limit, how.answer_limit);
    if (!registration && slow && cause_of(registration.error()) == Backoff::Cause::unreachable) {
        patience_.on_timeout();
    } else {
        patience_.on_answer();
    }
    co_return std::move(registration);
}

net::awaitable<Result<void>> Listener::learn_targets() {
    hc::TargetMap targets = options_.targets;
    if (options_.use_user_metadata) {
        const auto info =
            co_await context_->dialer->runtime_information(options_.path, kMetadataLimit);
        if (info) {
            auto merged = merge_targets(*info);
            if (!merged) co_return merged.error();
            targets = std::move(*merged);
        } else if (targets.empty() || cause_of(info.error()) == Backoff::Cause::unreachable ||
                   info.error().code() == make_error_code(relay_errc::bad_certificate)) {
            co_return info.error();
        } else {
            ops::log_warn(kComponent, "{}: UserMetadata cannot be read ({}); using Targets only",
                          options_.path, info.error().message());
        }
    }
    if (targets.empty()) {
        co_return Error(errc::invalid_argument,
                        options_.path +
                            ": no target to connect to; set the hybrid connection's UserMetadata, "
                            "or Targets in the configuration, or -T");
    }
    use_targets(targets);
    co_return Result<void>();
}

Result<hc::TargetMap> Listener::merge_targets(const hc::RuntimeInformation& info) const {
    hc::TargetMap targets = options_.targets;
    if (!info.has_user_metadata || info.user_metadata.empty()) return targets;
    const auto theirs = hc::parse_user_metadata(info.user_metadata, options_.path);
    if (theirs) {
        for (const auto& [key, target] : *theirs) {
            if (targets.contains(key)) continue;  // what is there already wins
            net::error_code is_a_name;
            const auto address = net::asio::ip::make_address(target.host, is_a_name);
            if (!is_a_name && net::is_link_local_or_metadata(address)) {
                ops::reached(ops::Limit::forbidden_addresses);
                ops::log_warn(kComponent,
                              "{}/{}: UserMetadata names the link-local or metadata address {} as "
                              "a target, which is not used; name it in Targets or -T to allow it",
                              options_.path, key, target.to_string());
                continue;
            }
            targets.emplace(key, target);
        }
        return targets;
    }
    if (targets.empty()) {
        return Error(errc::invalid_argument, options_.path + ": " + theirs.error().message());
    }
    ops::log_warn(kComponent, "{}: UserMetadata is not usable ({}); using Targets only",
                  options_.path, theirs.error().message());
    return targets;
}

void Listener::use_targets(const hc::TargetMap& targets) {
    auto entity = std::make_shared<ServedEntity>();
    entity->path = options_.path;
    entity->notes = std::make_shared<MappingNotes>(options_.path);
    entity->places = places_;
    for (const auto& [key, target] : targets) {
        const std::string name = options_.path + "/" + std::to_string(key);
        entity->mappings.emplace(key,
                                 ServedEntity::Mapping{target, std::make_shared<MappingNotes>(name),
                                                       options_.targets.contains(key)});
        ops::log_info(kComponent, "{}: target {}", name, target.to_string());
    }
    entity_ = std::move(entity);
}

net::awaitable<Error> Listener::read_messages(std::shared_ptr<Control> control) {
    for (;;) {
        auto message = co_await control->websocket.receive_message(kMaxMessage);
        if (!message && control->silent) co_return Error(errc::closed, "the relay is silent");
        if (!message) co_return Error(errc::closed, message.error().message());
        if (!*message) break;
        // Binary messages are bodies of requests, which are refused without reading them.
        if ((*message)->opcode == websocket::Opcode::text) on_message(control, (*message)->data);
    }
    const auto& close = *control->websocket.close_received();
    co_return Error(errc::closed, "closed by the relay with code " + std::to_string(close.code) +
                                      (close.reason.empty() ? "" : ": " + close.reason));
}

void Listener::on_message(const std::shared_ptr<Control>& control, const std::string& text) {
    auto message = hc::parse_control_message(text);
    if (!message) {
        ops::log_debug(kComponent, "{}: message ignored: {}", options_.path,
                       message.error().message());
        return;
    }
    if (auto* accept = std::get_if<hc::AcceptMessage>(&*message)) {
        on_accept(std::move(*accept));
    } else if (const auto* request = std::get_if<hc::RequestMessage>(&*message)) {
        on_request(control, *request);
    }
}

void Listener::on_accept(hc::AcceptMessage accept) {
    constexpr int kNotAcceptable = 406;
    if (offers_were_dropped(accept) && !std::exchange(told_of_dropped_offers_, true)) {
        ops::log_warn(kComponent,
                      "{}: a client agent's subprotocols have not arrived: the relay, or a proxy "
                      "before it, drops Sec-WebSocket-Protocol from senders' requests; v1 is "
                      "spoken, so connections will not survive the loss of their channel",
                      options_.path);
    }
    const auto choice = choose_protocol(accept, context_->options.session.protocol);
    if (!choice) return turn_away(std::move(accept), kNotAcceptable, choice.error().message());
    net::spawn(executor(), admit_in_turn(shared_from_this(), std::move(accept), *choice));
}

// Those who come faster than they may wait for their turn: senders behind one address may be many.
net::awaitable<void> Listener::admit_in_turn(std::shared_ptr<Listener> self,
                                             hc::AcceptMessage accept, ChannelChoice choice) {
    const auto source = net::source_key(accept.remote_address);
    const auto of_source =
        self->rendezvous_of_.of(source).take_within(net::Clock::now(), kLongestTurn);
    if (!of_source)
        co_return self->note_ignored(source, " for senders at " + source,
                                     kSourceRendezvousPerSecond);
    if (*of_source > net::Clock::duration::zero()) co_await net::sleep_for(*of_source);
    const auto of_all = self->rendezvous_rate_.take_within(net::Clock::now(), kLongestTurn);
    if (!of_all) co_return self->note_ignored(source, "", kRendezvousPerSecond);
    if (*of_all > net::Clock::duration::zero()) co_await net::sleep_for(*of_all);
    if (!self->stopping_) self->admit(std::move(accept), choice, source);
}

// More than this is no burst of senders: the relay lets them go when their time is over.
void Listener::note_ignored(const std::string& source, const std::string& whose, double rate) {
    ops::reached(ops::Limit::ignored_rendezvous);
    if (const auto more = rendezvous_lines_.admit(source))
        ops::log_warn(kComponent, "{}: the relay asks for more than {} rendezvous a second{}{}",
                      options_.path, rate, whose, *more);
}

void Listener::admit(hc::AcceptMessage accept, const ChannelChoice& choice,
                     const std::string& source) {
    constexpr int kServiceUnavailable = 503;
    const auto sender = channels_->child(source, net::Share::kSourceFactor);
    auto ticket = sender->try_take();
    if (!ticket) {
        ops::reached(ops::Limit::refused_channels);
        return turn_away(std::move(accept), kServiceUnavailable,
                         "the service agent has too many channels (limit " +
                             std::to_string(channels_->limit()) + ", in shares)");
    }
    if (choice.v2) {
        net::spawn(sessions_->executor(),
                   SessionHost::accept(sessions_, entity_, std::move(accept), std::move(ticket)));
        return;
    }
    net::spawn(context_->pool.next().get_executor(),
               accept_rendezvous(context_, entity_, std::move(accept), choice.subprotocol,
                                 std::move(ticket)));
}

void Listener::turn_away(hc::AcceptMessage accept, int status, std::string why) {
    auto ticket = Quota::try_take(context_->rejections);
    if (!ticket) return ops::reached(ops::Limit::unanswered_refusals);
    net::spawn(context_->pool.next().get_executor(),
               reject_rendezvous(context_, entity_, std::move(accept), status, std::move(why),
                                 std::move(ticket)));
}

void Listener::on_request(const std::shared_ptr<Control>& control,
                          const hc::RequestMessage& request) {
    if (!request.id.empty()) {
        auto pending = Quota::try_take(answers_);
        if (!pending) return ops::reached(ops::Limit::unanswered_refusals);
        net::spawn(executor(),
                   answer(control, hc::serialize(refuse_request(request.id)), std::move(pending)));
        return;
    }
    auto ticket = Quota::try_take(context_->rejections);
    if (!ticket) return ops::reached(ops::Limit::unanswered_refusals);
    net::spawn(executor(), refuse_request_at(context_, request.address, std::move(ticket)));
}

net::awaitable<void> Listener::answer(std::shared_ptr<Control> control, std::string message,
                                      Quota::Ticket pending) {
    (void)co_await control->websocket.send(websocket::Opcode::text, as_bytes(message));
    (void)pending;  // counted until here
}

net::awaitable<void> Listener::keep(std::shared_ptr<Listener> self,
                                    std::shared_ptr<Control> control) {
    const auto renewal = renewal_delay(kTokenLifetime);
    auto next_pong = net::Clock::now() + kKeepAlive;
    auto next_token = self->context_->dialer->can_renew() ? net::Clock::now() + renewal
                                                          : net::Clock::time_point::max();
    while (!control->over) {
        auto& websocket = control->websocket;
        const auto now = net::Clock::now();
        const auto due = std::min({next_pong, next_token, control->silence_limit()});
        if (now < due) {
            (void)co_await control->wake.wait_until(due);
            continue;
        }
        if (now >= control->silence_limit()) {
            const auto second_look = now + kSecondLook;
            while (!control->over && net::Clock::now() < second_look)
                (void)co_await control->wake.wait_until(second_look);
            if (control->over || net::Clock::now() < control->silence_limit()) continue;
            control->silent = true;
            ops::reached(ops::Limit::silent_relays);
            websocket.interrupt();
            co_return;
        }
        if (now >= next_pong) {
            websocket.send_pong();
            next_pong = now + kKeepAlive;
        }
        if (now >= next_token) {
            next_token = now + renewal;
            hc::RenewTokenMessage message;
            message.token = self->context_->dialer->token(self->options_.path);
            const std::string text = hc::serialize(message);
            (void)co_await websocket.send(websocket::Opcode::text, as_bytes(text));
            ops::log_debug(kComponent, "{}: token renewed", self->options_.path);
        }
    }
    // stop() has sent Close; a relay that does not answer is not waited for.
    const auto until = net::Clock::now() + kCloseLimit;
    while (self->control_ == control && net::Clock::now() < until)
        (void)co_await control->wake.wait_until(until);
    control->websocket.interrupt();
}

void Listener::on_connected() {
    const auto now = net::Clock::now();
    const std::string relay = context_->dialer->name();
    const bool first =
        std::exchange(registration_, Registration::registered) == Registration::never;
    if (!first) {
        const auto gone = std::chrono::duration_cast<std::chrono::milliseconds>(now - lost_at_);
        ops::log_info(kComponent, "{}: listening at relay {} again after {:.1f} s", options_.path,
                      relay, static_cast<double>(gone.count()) / 1000.0);
    } else {
        ops::log_info(kComponent, "{}: listening at relay {}", options_.path, relay);
    }
    connected_at_ = now;
    last_failure_ = {};
    if (first && events_.on_registered) events_.on_registered();
}

std::chrono::milliseconds Listener::on_failure(const Error& error) {
    if (registration_ == Registration::registered) {
        registration_ = Registration::lost;
        lost_at_ = net::Clock::now();
        ops::log_warn(kComponent, "{}: control channel lost ({}); reconnecting", options_.path,
                      error.message());
        // A relay that is unreachable next is the same story.
        last_failure_ = make_error_code(relay_errc::unreachable);
        return backoff_.after_loss(
            std::chrono::duration_cast<Backoff::Duration>(lost_at_ - connected_at_),
            crypto::random_fraction());
    }
    if (last_failure_ != error.code()) {
        last_failure_ = error.code();
        ops::log_warn(kComponent, "{}: cannot listen: {}; retrying", options_.path,
                      error.message());
    } else {
        ops::log_debug(kComponent, "{}: cannot listen: {}", options_.path, error.message());
    }
    return backoff_.next(cause_of(error), crypto::random_fraction());
}

}  // namespace hpb::agent::service
