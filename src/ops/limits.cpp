#include "ops/limits.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <iterator>

namespace hpb::ops {
namespace {

/// Where a counter is told: all that are not zero have a line of their own, and a few have always
/// been part of what a relay or an agent says of itself.
enum class Told { if_reached, in_its_line };

struct Entry {
    Limit limit;
    std::string_view name;
    Told told = Told::if_reached;
};

constexpr Entry kEntries[] = {
    {Limit::refused_connections, "refused_connections", Told::in_its_line},
    {Limit::refused_by_share, "refused_by_share"},
    {Limit::evicted_handshakes, "evicted_handshakes", Told::in_its_line},
    {Limit::late_handshakes, "late_handshakes"},
    {Limit::large_heads, "large_heads"},
    {Limit::refused_senders, "refused_senders", Told::in_its_line},
    {Limit::unaccepted_senders, "unaccepted_senders"},
    {Limit::refused_listeners, "refused_listeners"},
    {Limit::undelayed_refusals, "undelayed_refusals"},
    {Limit::full_announcements, "full_announcements"},
    {Limit::large_announcements, "large_announcements"},
    {Limit::cut_affinity_lists, "cut_affinity_lists"},
    {Limit::unread_answers, "unread_answers"},
    {Limit::silent_listeners, "silent_listeners"},
    {Limit::silent_rendezvous, "silent_rendezvous"},
    {Limit::dead_namesakes, "dead_namesakes"},
    {Limit::silent_half_closes, "silent_half_closes"},
    {Limit::expired_listeners, "expired_listeners"},
    {Limit::flooded_connections, "flooded_connections"},
    {Limit::large_messages, "large_messages"},
    {Limit::unanswered_closes, "unanswered_closes"},
    {Limit::undelivered_ends, "undelivered_ends"},
    {Limit::descriptor_shortages, "descriptor_shortages"},
    {Limit::failed_accepts, "failed_accepts"},
    {Limit::missing_threads, "missing_threads"},
    {Limit::queued_look_ups, "queued_look_ups"},
    {Limit::unanswered_look_ups, "unanswered_look_ups"},
    {Limit::old_answers, "old_answers"},
    {Limit::cut_address_lists, "cut_address_lists"},
    {Limit::late_connections, "late_connections"},
    {Limit::late_answers, "late_answers"},
    {Limit::bad_addresses, "bad_addresses"},
    {Limit::refused_logins, "refused_logins"},
    {Limit::held_back_lines, "held_back_lines"},
    {Limit::lost_lines, "lost_lines"},
    {Limit::expired, "expired", Told::in_its_line},
    {Limit::memory_waits, "memory_waits"},
    {Limit::flooded_sessions, "flooded_sessions"},
    {Limit::silent_channels, "silent_channels"},
    {Limit::silent_relays, "silent_relays"},
    {Limit::idle_connections, "idle_connections"},
    {Limit::vanished_peers, "vanished_peers"},
    {Limit::paused_channels, "paused_channels"},
    {Limit::refused_applications, "refused_applications"},
    {Limit::expired_waits, "expired_waits"},
    {Limit::full_sessions, "full_sessions"},
    {Limit::gone_service_agents, "gone_service_agents"},
    {Limit::idle_sessions, "idle_sessions"},
    {Limit::crowded_channels, "crowded_channels"},
    {Limit::delayed_channels, "delayed_channels"},
    {Limit::refused_sessions, "refused_sessions"},
    {Limit::shed_sessions, "shed_sessions"},
    {Limit::late_hellos, "late_hellos"},
    {Limit::refused_channels, "refused_channels"},
    {Limit::refused_targets, "refused_targets"},
    {Limit::made_room, "made_room", Told::in_its_line},
    {Limit::delayed_opens, "delayed_opens"},
    {Limit::delayed_dials, "delayed_dials"},
    {Limit::ignored_rendezvous, "ignored_rendezvous"},
    {Limit::unanswered_refusals, "unanswered_refusals"},
    {Limit::late_preambles, "late_preambles"},
    {Limit::strangers, "strangers", Told::in_its_line},
    {Limit::cut_drains, "cut_drains"},
    {Limit::forgotten_ids, "forgotten_ids"},
    {Limit::forbidden_addresses, "forbidden_addresses"},
};
constexpr std::size_t kCount = static_cast<std::size_t>(Limit::count_);

constexpr bool is_in_order() {
    for (std::size_t i = 0; i < kCount; ++i)
        if (static_cast<std::size_t>(kEntries[i].limit) != i) return false;
    return true;
}
static_assert(std::size(kEntries) == kCount && is_in_order());

std::array<std::atomic<std::uint64_t>, kCount> counters{};

}  // namespace

void reached(Limit limit, std::uint64_t times) noexcept {
    counters[static_cast<std::size_t>(limit)].fetch_add(times, std::memory_order_relaxed);
}

std::uint64_t count(Limit limit) noexcept {
    return counters[static_cast<std::size_t>(limit)].load(std::memory_order_relaxed);
}

std::string_view name(Limit limit) noexcept {
    return kEntries[static_cast<std::size_t>(limit)].name;
}

std::string limits_text() {
    std::string text;
    for (const Entry& entry : kEntries) {
        const std::uint64_t times = count(entry.limit);
        if (times == 0 || entry.told == Told::in_its_line) continue;
        text.append(" ").append(entry.name).append("=").append(std::to_string(times));
    }
    return "limits:" + (text.empty() ? " none reached" : text);
}

}  // namespace hpb::ops
