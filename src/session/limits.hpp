#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hpb::session {

using Clock = std::chrono::steady_clock;  // the type of a time only: no core reads it
using std::chrono::milliseconds;

class MemoryBudget;

/// All limits of a session (docs/session-protocol.md, "Limits"). Bytes and counts.
struct Limits {
    /// Streams that each side may have open at a time; also the divisor for each stream's share of
    /// the budgets.
    std::uint32_t max_streams = 1024;
    /// What a stream may receive before its acceptor has granted credit. At most a quarter of
    /// receive_budget / max_streams: with more, all streams together could overrun the budget.
    std::uint32_t initial_credit = 32 * 1024;
    /// A stream's initial window (in flight or unread), while the receive budget lasts; and the
    /// limit to which it grows with the path and the speed of its reader.
    std::uint64_t stream_window = 256 * 1024;
    std::uint64_t max_stream_window = 64ULL * 1024 * 1024;
    /// Bytes that all streams together may have in flight to us or unread.
    std::uint64_t receive_budget = 128ULL * 1024 * 1024;
    /// Bytes that all streams together keep until the peer acknowledges them.
    std::uint64_t send_budget = 128ULL * 1024 * 1024;
    /// What all sessions of the process may use of their budgets beyond their streams' own shares;
    /// null: no further limit. Outlives the sessions.
    MemoryBudget* shared = nullptr;
    std::uint32_t max_channels = 8;
    /// Streams of the peer that may end without having carried a byte: half of max_streams at once,
    /// then this many a second. Those beyond count as open until the rate allows for them.
    std::uint32_t unused_streams_per_second = 100;
    /// Longest payload of a frame that we accept: 1 KiB to 65535.
    std::uint16_t max_frame = 65535;
    /// How long a session outlives its last channel.
    milliseconds grace = std::chrono::minutes{5};
    /// The same at the service, for one that has never had a stream; grace, if that is less.
    milliseconds unused_grace = std::chrono::days{7};
    /// Keep-alive: a PING after half of it without input; a channel is dead after two and a half.
    milliseconds keep_alive = std::chrono::seconds{5};
    /// An acknowledgement is delayed for at most this time, or this many bytes.
    milliseconds ack_delay{25};
    std::uint64_t ack_bytes = 64 * 1024;
    /// Largest data in a frame: alone on a channel, and while other streams wait for it.
    std::size_t bulk_chunk = 64 * 1024 - 16;
    std::size_t shared_chunk = 16 * 1024;
    /// With more than this unsent, a stream may also use channels other than its own.
    std::uint64_t spread_above = 128 * 1024;
    /// Both ends count streams from here. Other than 0 only in tests: nothing on the wire says it.
    std::uint32_t first_stream_index = 0;

    /// @return the same with every value made valid: no zeros, no contradictions.
    [[nodiscard]] Limits normalised() const {
        Limits l = *this;
        const auto at_least = [](auto& value, auto least) {
            if (value < least) value = least;
        };
        at_least(l.max_streams, 1U);
        at_least(l.max_channels, 1U);
        at_least(l.receive_budget, std::uint64_t{4} * l.max_streams);
        at_least(l.send_budget, std::uint64_t{4} * l.max_streams);
        const std::uint64_t most = l.receive_budget / 4 / l.max_streams;
        if (l.initial_credit > most) l.initial_credit = static_cast<std::uint32_t>(most);
        at_least(l.initial_credit, 1U);
        at_least(l.stream_window, std::uint64_t{l.initial_credit});
        at_least(l.max_stream_window, l.stream_window);
        at_least(l.max_frame, std::uint16_t{1024});
        at_least(l.keep_alive, milliseconds{10});
        at_least(l.grace, milliseconds{1});
        at_least(l.unused_grace, milliseconds{1});
        at_least(l.unused_streams_per_second, 1U);
        // On the wire they are 32-bit milliseconds.
        if (l.grace > std::chrono::days{7}) l.grace = std::chrono::days{7};
        if (l.keep_alive > std::chrono::hours{1}) l.keep_alive = std::chrono::hours{1};
        at_least(l.bulk_chunk, std::size_t{1});
        if (l.bulk_chunk > 65535 - 8) l.bulk_chunk = 65535 - 8;
        at_least(l.shared_chunk, std::size_t{1});
        if (l.shared_chunk > l.bulk_chunk) l.shared_chunk = l.bulk_chunk;
        return l;
    }
};

/// What one side tells the other about itself when a channel begins.
struct Parameters {
    std::uint32_t keep_alive_ms = 0;
    std::uint32_t grace_ms = 0;
    std::uint32_t max_streams = 0;
    std::uint32_t initial_credit = 0;
    std::uint32_t max_frame = 0;
    bool operator==(const Parameters&) const = default;
};

}  // namespace hpb::session
