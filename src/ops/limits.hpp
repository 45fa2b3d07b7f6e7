#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hpb::ops {

/// Every limit that somebody outside can reach, or that an operator wants to know to be reached:
/// one for each counter of the table in docs/architecture.md, "Limits". Named after what happens at
/// it, and told under the same name.
enum class Limit : unsigned {
    // A relay's.
    refused_connections,
    refused_by_share,
    evicted_handshakes,
    late_handshakes,
    large_heads,
    refused_senders,
    unaccepted_senders,
    refused_listeners,
    undelayed_refusals,
    full_announcements,
    large_announcements,
    cut_affinity_lists,
    unread_answers,
    silent_listeners,
    silent_rendezvous,
    dead_namesakes,
    silent_half_closes,
    expired_listeners,

    // Of whatever speaks to a network, or writes a log.
    flooded_connections,
    large_messages,
    unanswered_closes,
    undelivered_ends,
    descriptor_shortages,
    failed_accepts,
    missing_threads,
    queued_look_ups,
    unanswered_look_ups,
    old_answers,
    cut_address_lists,
    late_connections,
    late_answers,
    bad_addresses,
    refused_logins,
    held_back_lines,
    lost_lines,

    // Both agents'.
    expired,
    memory_waits,
    flooded_sessions,
    silent_channels,
    silent_relays,
    idle_connections,
    vanished_peers,
    paused_channels,

    // A client agent's.
    refused_applications,
    expired_waits,
    full_sessions,
    gone_service_agents,
    idle_sessions,
    crowded_channels,
    delayed_channels,

    // A service agent's.
    refused_sessions,
    shed_sessions,
    late_hellos,
    refused_channels,
    refused_targets,
    made_room,
    delayed_opens,
    delayed_dials,
    ignored_rendezvous,
    unanswered_refusals,
    late_preambles,
    strangers,
    cut_drains,
    forgotten_ids,
    forbidden_addresses,

    count_  ///< how many there are; no limit
};

/// A limit has been reached: one relaxed addition to a counter of the process. The counters share
/// cache lines, since they count what happens once for a connection or more rarely, never what
/// happens for a frame. Callable from any thread.
void reached(Limit limit, std::uint64_t times = 1) noexcept;

/// How often, since the start of the process.
[[nodiscard]] std::uint64_t count(Limit limit) noexcept;

/// As in the enumeration and in the documents, such as "evicted_handshakes".
[[nodiscard]] std::string_view name(Limit limit) noexcept;

/// For the log: "limits: late_handshakes=3 refused_listeners=12", those that have been reached and
/// are not in the line of counters of a relay or an agent; "limits: none reached".
[[nodiscard]] std::string limits_text();

}  // namespace hpb::ops
