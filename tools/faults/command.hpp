#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "faults/units.hpp"

namespace hpb::faults {

/// The direction in which bytes go.
enum class Way { to_target, to_client };
inline constexpr std::array kWays{Way::to_target, Way::to_client};
[[nodiscard]] std::string_view name_of(Way way);
[[nodiscard]] inline std::size_t index_of(Way way) {
    return static_cast<std::size_t>(way);
}

/// How one direction of a link behaves when nothing is wrong with it.
struct LaneSettings {
    /// From the bottleneck to the other end.
    Duration delay{};
    /// Bits per second, for all connections together; nullopt: no limit.
    std::optional<std::uint64_t> rate{};
    /// Bytes before the bottleneck; nullopt: see queue_size().
    std::optional<std::uint64_t> queue{};
    /// Bytes held of one connection; nullopt: see buffer_size().
    std::optional<std::uint64_t> buffer{};

    /// What may wait for the bottleneck, of all connections: 10 ms of the rate, 64 KiB at least.
    [[nodiscard]] std::uint64_t queue_size() const;
    /// What the proxy holds of one connection before it stops to read: what the delay keeps in
    /// flight (for a link without a rate, at 8 Gbit/s and 64 MiB at most), the queue and 256 KiB.
    [[nodiscard]] std::uint64_t buffer_size() const;
};

/// What a `set` changes, for each way; what is absent stays. The inner nullopt is "back to the
/// default".
struct LaneChange {
    std::optional<Duration> delay;
    std::optional<std::optional<std::uint64_t>> rate;
    std::optional<std::optional<std::uint64_t>> queue;
    std::optional<std::optional<std::uint64_t>> buffer;

    void apply_to(LaneSettings& settings) const;
};
struct SettingsChange {
    std::array<LaneChange, 2> lanes;
    std::vector<std::string> words;  ///< as they were written
};

/// Reads "delay=100ms" or "to-client.rate=20mbit" into `change`.
[[nodiscard]] Result<void> parse_setting(std::string_view word, SettingsChange& change);

struct HostPort {
    std::string host;
    std::uint16_t port = 0;
};
/// "host:port", IPv6 in brackets.
[[nodiscard]] Result<HostPort> parse_host_port(std::string_view text, bool zero_is_fine);

struct LinkOptions {
    std::string name;
    HostPort listen;  ///< an IP address; port 0: the system chooses
    HostPort target;
    std::array<LaneSettings, 2> lanes;
};
/// "NAME=LISTEN:PORT,TARGET:PORT[,setting…]".
[[nodiscard]] Result<LinkOptions> parse_link(std::string_view text);

enum class Verb { set, stall, blackhole, resume, reset, cut, truncate, refuse, accept, stats };
inline constexpr std::string_view kAllLinks = "*";

/// What shall be done, without the link. In a script the arguments may be ranges to draw from.
struct Action {
    Verb verb = Verb::stats;
    std::optional<Range<Duration>>
        duration;                ///< of stall, blackhole and refuse; absent: until told
    Range<std::uint64_t> bytes;  ///< of truncate
    std::optional<Way> way;      ///< of truncate; absent in a script: drawn
    SettingsChange settings;     ///< of set
};

/// Reads "blackhole 100ms..300ms" (words of a line).
/// @param ranges  false: an argument has to be one value, and truncate without a way is to-client.
[[nodiscard]] Result<Action> parse_action(std::span<const std::string_view> words, bool ranges);
/// An action whose arguments are single values, as parse_action() reads it.
[[nodiscard]] std::string format_action(const Action& action);

struct Command {
    std::string link;  ///< a name or kAllLinks
    Action action;
};
/// "VERB LINK [argument…]"; a missing link is all links where there are no arguments.
[[nodiscard]] Result<Command> parse_command(std::string_view line);

/// The words between blanks.
[[nodiscard]] std::vector<std::string_view> words_of(std::string_view line);

}  // namespace hpb::faults
