#include "faults/command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.hpp"

namespace hpb::faults {
namespace {

constexpr std::uint64_t kMinQueue = 64 * 1024;
constexpr std::uint64_t kQueuesPerSecond = 100;
constexpr std::uint64_t kBufferSlack = 256 * 1024;
constexpr std::uint64_t kMaxUnratedFlight = 64 * 1024 * 1024;
constexpr std::uint64_t kMaxFlight = 1024 * 1024 * 1024;
constexpr std::uint64_t kUnratedBytesPerSecond = 1'000'000'000;
constexpr std::uint64_t kMinBuffer = 4096;
constexpr std::size_t kMaxName = 64;

constexpr std::array<std::string_view, 10> kVerbs{
    "set", "stall", "blackhole", "resume", "reset", "cut", "truncate", "refuse", "accept", "stats"};
constexpr std::array<std::string_view, 4> kSettings{"delay", "rate", "queue", "buffer"};
constexpr std::array<std::string_view, 2> kWayNames{"to-target", "to-client"};

std::string hint(std::string_view word, std::span<const std::string_view> known) {
    const auto near = nearest(word, known);
    if (!near.empty()) return fmt::format("; did you mean '{}'?", near);
    return fmt::format("; there are {}", fmt::join(known, ", "));
}

std::optional<Way> way_of(std::string_view word) {
    for (const Way way : kWays) {
        if (word == name_of(way)) return way;
    }
    return std::nullopt;
}

Result<std::optional<std::uint64_t>> parse_rate_or_unlimited(std::string_view text) {
    if (text == "unlimited") return std::optional<std::uint64_t>();
    const auto rate = parse_rate(text);
    if (!rate) return rate.error();
    return std::optional(*rate);
}

Result<std::optional<std::uint64_t>> parse_size_or_default(std::string_view text) {
    if (text == "default") return std::optional<std::uint64_t>();
    const auto size = parse_size(text);
    if (!size) return size.error();
    if (*size < kMinBuffer) return bad_argument("queue and buffer have to be 4KiB at least");
    return std::optional(*size);
}

/// Moves a result's value to where it belongs.
template <class T, class U>
Result<void> put(const Result<T>& value, std::optional<U>& into) {
    if (!value) return value.error();
    into = *value;
    return {};
}

Result<void> put_setting(std::string_view key, std::string_view value, LaneChange& change) {
    if (key == "delay") return put(parse_duration(value), change.delay);
    if (key == "rate") return put(parse_rate_or_unlimited(value), change.rate);
    if (key == "queue") return put(parse_size_or_default(value), change.queue);
    if (key == "buffer") return put(parse_size_or_default(value), change.buffer);
    return bad_argument(
        fmt::format("there is no setting '{}'{}", printable(key, 40), hint(key, kSettings)));
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxName &&
           std::ranges::all_of(text, [](unsigned char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.';
           });
}

bool takes_duration(Verb verb) {
    return verb == Verb::stall || verb == Verb::blackhole || verb == Verb::refuse;
}

Result<void> parse_truncate(std::span<const std::string_view> words, Action& action) {
    if (words.empty() || words.size() > 2) {
        return bad_argument(
            "truncate wants a number of bytes and perhaps a direction: "
            "truncate LINK 1500 to-client");
    }
    const auto bytes = parse_size_range(words[0]);
    if (!bytes) return bytes.error();
    action.bytes = *bytes;
    if (words.size() == 1) return {};
    action.way = way_of(words[1]);
    if (action.way) return {};
    return bad_argument(
        fmt::format("'{}' is no direction{}", printable(words[1], 40), hint(words[1], kWayNames)));
}

Result<void> parse_arguments(std::span<const std::string_view> words, Action& action) {
    if (action.verb == Verb::truncate) return parse_truncate(words, action);
    if (action.verb == Verb::set) {
        if (words.empty())
            return bad_argument("set wants settings: set LINK delay=100ms rate=1gbit");
        for (const auto word : words) {
            const auto parsed = parse_setting(word, action.settings);
            if (!parsed) return parsed.error();
        }
        return {};
    }
    if (words.empty()) return {};
    if (words.size() > 1 || !takes_duration(action.verb)) {
        return bad_argument(fmt::format("{}: '{}' is one word too many",
                                        kVerbs[static_cast<std::size_t>(action.verb)],
                                        printable(words.back(), 40)));
    }
    const auto duration = parse_duration_range(words[0]);
    if (!duration) return duration.error();
    action.duration = *duration;
    return {};
}

}  // namespace

std::string_view name_of(Way way) {
    return kWayNames[index_of(way)];
}

std::uint64_t LaneSettings::queue_size() const {
    if (queue) return *queue;
    return std::max(kMinQueue, rate.value_or(0) / 8 / kQueuesPerSecond);
}

std::uint64_t LaneSettings::buffer_size() const {
    if (buffer) return *buffer;
    const double seconds = std::chrono::duration<double>(delay).count();
    const auto bytes_per_second = static_cast<double>(rate ? *rate / 8 : kUnratedBytesPerSecond);
    const auto limit = static_cast<double>(rate ? kMaxFlight : kMaxUnratedFlight);
    const auto flight = static_cast<std::uint64_t>(std::min(seconds * bytes_per_second, limit));
    return flight + (rate ? queue_size() : 0) + kBufferSlack;
}

void LaneChange::apply_to(LaneSettings& settings) const {
    if (delay) settings.delay = *delay;
    if (rate) settings.rate = *rate;
    if (queue) settings.queue = *queue;
    if (buffer) settings.buffer = *buffer;
}

Result<void> parse_setting(std::string_view word, SettingsChange& change) {
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) {
        return bad_argument(
            fmt::format("'{}' is no setting: write it like delay=100ms", printable(word, 40)));
    }
    std::string_view key = word.substr(0, equals);
    const std::string_view value = word.substr(equals + 1);
    std::optional<Way> only;
    if (const auto dot = key.find('.'); dot != std::string_view::npos) {
        only = way_of(key.substr(0, dot));
        if (!only) {
            return bad_argument(fmt::format("'{}' is no direction{}", printable(key, 40),
                                            hint(key.substr(0, dot), kWayNames)));
        }
        key = key.substr(dot + 1);
    }
    for (const Way way : kWays) {
        if (only && *only != way) continue;
        const auto put = put_setting(key, value, change.lanes[index_of(way)]);
        if (!put) return put.error();
    }
    change.words.emplace_back(word);
    return {};
}

Result<HostPort> parse_host_port(std::string_view text, bool zero_is_fine) {
    const auto wrong = [&] {
        return bad_argument(fmt::format("'{}' is not HOST:PORT (IPv6 addresses in brackets)",
                                        printable(text, 100)));
    };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return wrong();
    std::string_view host = text.substr(0, colon);
    if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return wrong();
    }
    const auto port = parse_int(text.substr(colon + 1));
    if (host.empty() || !port || *port < (zero_is_fine ? 0 : 1) || *port > 65535) return wrong();
    return HostPort{std::string(host), static_cast<std::uint16_t>(*port)};
}

Result<LinkOptions> parse_link(std::string_view text) {
    const auto equals = text.find('=');
    const auto parts = split(equals == std::string_view::npos ? "" : text.substr(equals + 1), ',');
    if (parts.size() < 2) {
        return bad_argument(fmt::format(
            "'{}' is no link: write it like db=127.0.0.1:5000,target.example:5432,delay=100ms",
            printable(text, 100)));
    }
    LinkOptions options;
    options.name = std::string(text.substr(0, equals));
    if (!is_name(options.name)) {
        return bad_argument(
            fmt::format("'{}' is no name for a link: letters, digits, '-', '_' and '.', 64 at most",
                        printable(options.name, 80)));
    }
    const auto listen = parse_host_port(parts[0], true);
    if (!listen) return listen.error().with_context(options.name);
    const auto target = parse_host_port(parts[1], false);
    if (!target) return target.error().with_context(options.name);
    options.listen = *listen;
    options.target = *target;
    SettingsChange change;
    for (std::size_t i = 2; i < parts.size(); ++i) {
        const auto parsed = parse_setting(parts[i], change);
        if (!parsed) return parsed.error().with_context(options.name);
    }
    for (std::size_t i = 0; i < change.lanes.size(); ++i) {
        change.lanes[i].apply_to(options.lanes[i]);
    }
    return options;
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (!(line = trim(line)).empty()) {
        const auto end = std::min(line.find_first_of(" \t"), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
    return words;
}

Result<Action> parse_action(std::span<const std::string_view> words, bool ranges) {
    if (words.empty()) {
        return bad_argument(
            fmt::format("there is no command; there are {}", fmt::join(kVerbs, ", ")));
    }
    const auto found = std::ranges::find(kVerbs, words[0]);
    if (found == kVerbs.end()) {
        return bad_argument(fmt::format("there is no command '{}'{}", printable(words[0], 40),
                                        hint(words[0], kVerbs)));
    }
    Action action;
    action.verb = static_cast<Verb>(found - kVerbs.begin());
    const auto parsed = parse_arguments(words.subspan(1), action);
    if (!parsed) return parsed.error();
    if (ranges) return action;
    if (action.bytes.low != action.bytes.high ||
        (action.duration && action.duration->low != action.duration->high)) {
        return bad_argument("a range can be drawn from in scripts only");
    }
    if (!action.way) action.way = Way::to_client;
    return action;
}

std::string format_action(const Action& action) {
    std::string text(kVerbs[static_cast<std::size_t>(action.verb)]);
    for (const auto& word : action.settings.words) text += " " + word;
    if (action.duration) text += " " + format_duration(action.duration->low);
    if (action.verb == Verb::truncate) {
        text +=
            fmt::format(" {} {}", action.bytes.low, name_of(action.way.value_or(Way::to_client)));
    }
    return text;
}

Result<Command> parse_command(std::string_view line) {
    auto words = words_of(line);
    Command command{std::string(kAllLinks), {}};
    if (words.size() > 1) {
        command.link = std::string(words[1]);
        words.erase(words.begin() + 1);
    }
    auto action = parse_action(words, false);
    if (!action) return action.error();
    command.action = std::move(*action);
    return command;
}

}  // namespace hpb::faults
