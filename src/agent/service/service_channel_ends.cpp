// How connections of a service agent's v1 channel end, and with them the channel.
#include <algorithm>

#include "agent/service/service_channel.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::agent::service {
namespace {

constexpr const char* kComponent = "service";
/// A client agent dials when an application has connected; one that sends nothing by then probably
/// waits for the server to speak first.
constexpr std::chrono::seconds kSilenceLimit{5};

}  // namespace

void ServiceChannel::on_refused(const std::shared_ptr<tunnel_v1::Connection>& connection,
                                const Error& why) {
    const std::string target = mapping_->target.to_string();
    const bool refused = why.code() == net::asio::error::connection_refused;
    const std::string text =
        refused ? "refused by " + target + " (connection refused)" : target + ": " + why.message();
    std::uint64_t suppressed = 0;
    (void)mapping_->notes->set_failing(true);
    if (mapping_->notes->admit_line(suppressed)) {
        ops::log_warn(kComponent, "{}: connection {}: {}{}", mapping_name_, connection->short_id(),
                      text, ops::more_since(suppressed));
    }
    if (mapping_->notes->first_time(MappingNotes::Limit::refusal)) {
        ops::log_info(kComponent,
                      "{}: v1 cannot carry a refusal: the channel accepts no more connections, and "
                      "ends when its others have been silent for {} ms, so that the application "
                      "sees an end (said once per mapping)",
                      mapping_name_, options_.close_linger.count());
    }
    connection->close();
    if (!open() || find(connection->id()) != connection) return;
    retire_id(connection->id(), {.idle = false, .at = net::Clock::now()});
    // One that comes while the channel is about to end waits no longer than one that is dropped.
    if (draining_) on_dropped();
    drain();
    // Nothing is on its way to the peer that its end of the channel could cut off.
    if (connection_count() == 0 && !sent_any())
        begin_close(kInternalError, "the target cannot be reached");
}

void ServiceChannel::forget_connection(const v1::ConnectionId& id) {
    forget(id);
    if (!longest_idle() && std::exchange(holds_places_, false)) places_->remove(this);
}

void ServiceChannel::retire_id(const v1::ConnectionId& id, tunnel_v1::EndedIds::End end) {
    forget_connection(id);
    if (options_.reopen == Reopen::always && !draining_) return;
    end.idle = end.idle && options_.reopen == Reopen::after_idle;
    if (!ended_.insert(id, end)) ops::reached(ops::Limit::forgotten_ids);
    if (connection_count() == 0) linger_until_ = net::Clock::now() + options_.close_linger;
    wake();
}

net::awaitable<void> ServiceChannel::on_local_end(std::shared_ptr<tunnel_v1::Connection> connection,
                                                  tunnel_v1::LocalEnd end) {
    ops::log_debug(kComponent, "{}: connection {} ended by the target{}", mapping_name_,
                   connection->short_id(), end == tunnel_v1::LocalEnd::reset ? " (reset)" : "");
    const auto now = net::Clock::now();
    const bool whole = end == tunnel_v1::LocalEnd::eof && connection->all_taken() &&
                       !decoder_.in_frame_of(connection->id());
    // unanswered(): the target has spoken last.
    const bool idle = whole && connection->unanswered();
    mapping_->ends->note_end(now, idle, connection->last_activity());
    connection->close();
    if (find(connection->id()) != connection) co_return;
    any_reset_ = any_reset_ || end == tunnel_v1::LocalEnd::reset;
    if (!idle) doubt_at_ = now;
    retire_id(connection->id(), {.idle = idle, .at = now});
    if (!whole && options_.reopen != Reopen::always) drain();
    co_return;
}

/// While the target may be going down, those are let through that wait for what becomes of it.
bool ServiceChannel::may_reopen(TimePoint ended, TimePoint now) const {
    const bool near_a_cut =
        doubt_at_ && ended < *doubt_at_ + kDoubtPeriod && *doubt_at_ < ended + kDoubtPeriod;
    const bool decided = now >= ended + kReopenDelayInDoubt;
    return !draining_ && !near_a_cut && !(decided && mapping_->ends->went_down(ended));
}

void ServiceChannel::on_late_data() {
    if (mapping_->notes->first_time(MappingNotes::Limit::late_data)) {
        ops::log_info(kComponent,
                      "{}: an application keeps sending after its connection to {} ended in "
                      "mid-stream; v1 cannot carry the end, so the channel accepts no "
                      "more connections and ends soon (said once per mapping)",
                      mapping_name_, mapping_->target.to_string());
    }
    drain();
    on_dropped();
}

void ServiceChannel::drop_reopened(const std::shared_ptr<tunnel_v1::Connection>& connection) {
    connection->close();
    if (!open() || find(connection->id()) != connection) return;
    retire_id(connection->id(), {.idle = false, .at = net::Clock::now()});
    on_late_data();
}

void ServiceChannel::drain() {
    if (draining_ || !open()) return;
    draining_ = true;
    any_reset_ = true;
    drain_limit_ = net::Clock::now() + kDrainLimit;
    ops::log_debug(kComponent, "{}: channel accepts no more connections, {} are left",
                   mapping_name_, connection_count());
    if (connection_count() == 0) linger_until_ = net::Clock::now() + options_.close_linger;
    wake();
}

/// Its application waits for the channel's end.
void ServiceChannel::on_dropped() {
    const auto limit = net::Clock::now() + kDropLimit;
    if (limit >= drain_limit_) return;
    drain_limit_ = limit;
    wake();
}

/// When a draining channel ends, as things stand.
tunnel_v1::Channel::TimePoint ServiceChannel::drain_until(TimePoint now) const {
    auto last = TimePoint::min();
    for (const auto& [_, connection] : connections())
        last = std::max(last, connection->last_activity());
    const auto silent_at = last == TimePoint::min() ? now : last + options_.close_linger;
    return std::min(drain_limit_, silent_at);
}

tunnel_v1::Channel::TimePoint ServiceChannel::note_silence(TimePoint now) {
    if (any_frame_ || mapping_->notes->said(MappingNotes::Limit::server_speaks_first))
        return TimePoint::max();
    const auto due = mapped_at_ + kSilenceLimit;
    if (now < due) return due;
    if (mapping_->notes->first_time(MappingNotes::Limit::server_speaks_first)) {
        ops::log_info(kComponent,
                      "{}: a channel has carried no data for {} s since it began; if this "
                      "protocol lets the server speak first, v1 cannot carry it: {} is only "
                      "dialled when the application has sent something (said once per mapping)",
                      mapping_name_, kSilenceLimit.count(), mapping_->target.to_string());
    }
    return TimePoint::max();
}

tunnel_v1::Channel::TimePoint ServiceChannel::on_time(TimePoint now) {
    if (!open()) return TimePoint::max();
    if (mapping_ == nullptr) {
        const auto due = begun_ + options_.preamble_limit;
        if (now < due) return due;
        ops::reached(ops::Limit::late_preambles);
        const auto limit =
            std::chrono::duration_cast<std::chrono::seconds>(options_.preamble_limit);
        turn_away(
            fmt::format("a sender has not finished its preamble within {} s ({} bytes arrived{})",
                        limit.count(), opening_.size(),
                        opening_.empty() ? "" : "; it is " + describe_opening()),
            "no preamble");
        return TimePoint::max();
    }
    const auto due = note_silence(now);
    if (connection_count() == 0) return std::min(due, end_when_unused(now));
    idle_since_ = TimePoint::max();
    if (!draining_) return due;
    const auto until = drain_until(now);
    if (now < until) return std::min(due, until);
    if (until == drain_limit_) ops::reached(ops::Limit::cut_drains);
    begin_close(kInternalError, "a connection of the channel was lost at its target");
    return TimePoint::max();
}

tunnel_v1::Channel::TimePoint ServiceChannel::end_when_unused(TimePoint now) {
    if (idle_since_ == TimePoint::max()) idle_since_ = now;
    if (now >= linger_until_) {
        const bool reset = any_reset_;
        begin_close(reset ? kInternalError : kNormalClosure,
                    reset ? "the target reset its connection" : "the target closed its connection");
        return TimePoint::max();
    }
    const auto idle_at = idle_since_ + options_.channel_idle;
    if (now >= idle_at) {
        ops::log_debug(kComponent, "{}: channel closed, it has had no connection for {} s",
                       mapping_name_, options_.channel_idle.count());
        begin_close(kNormalClosure, "the channel is idle");
        return TimePoint::max();
    }
    return std::min(linger_until_, idle_at);
}

void ServiceChannel::on_given_up(const std::shared_ptr<tunnel_v1::Connection>& connection,
                                 const std::string& why) {
    ops::log_warn(kComponent, "{}: connection {} ended, {}", mapping_name_, connection->short_id(),
                  why);
    retire_id(connection->id(), {.idle = false, .at = net::Clock::now()});
}

std::string ServiceChannel::missing_at_end() const {
    if (mapping_ == nullptr && !opening_.empty()) return "it ended inside its preamble";
    return decoder_.in_frame() ? "it ended inside a frame" : "";
}

void ServiceChannel::on_over(tunnel_v1::ChannelEnd how, const std::string& why) {
    if (holds_places_) places_->remove(this);
    const std::string missing = missing_at_end();
    std::uint64_t suppressed = 0;
    if (how == tunnel_v1::ChannelEnd::lost && why == missing &&
        entity_->notes->admit_line(suppressed)) {
        const std::string who = mapping_ == nullptr ? "; it is " + describe_opening() : "";
        ops::log_warn(kComponent,
                      "{}: channel closed by its sender, but {}{}; its connections are "
                      "reset{}",
                      mapping_name_, why, who, ops::more_since(suppressed));
        return;
    }
    if (how == tunnel_v1::ChannelEnd::clean && why == kAgentStops &&
        entity_->notes->admit_line(suppressed)) {
        return ops::log_info(kComponent, "{}: channel closed: the client agent stops{}",
                             mapping_name_, ops::more_since(suppressed));
    }
    ops::log_debug(kComponent, "{}: channel {}{}{}", mapping_name_,
                   how == tunnel_v1::ChannelEnd::lost ? "lost" : "closed", why.empty() ? "" : ": ",
                   why);
}

}  // namespace hpb::agent::service
