#include "faults/script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/text.hpp"

namespace hpb::faults {
namespace {

constexpr std::size_t kMaxLines = 10000;
constexpr Duration kMinInterval = std::chrono::milliseconds(1);

using Words = std::span<const std::string_view>;

// std::uniform_int_distribution may differ between libraries; a remainder does not, and its bias
// does not matter for ranges this small.
std::uint64_t draw_from(std::mt19937_64& random, std::uint64_t low, std::uint64_t high) {
    return low + random() % (high - low + 1);
}

// In microseconds where the ends allow it, so that a log stays readable.
Duration draw_from(std::mt19937_64& random, const Range<Duration>& range) {
    constexpr Duration kMicrosecond = std::chrono::microseconds(1);
    const bool whole = range.low % kMicrosecond == Duration::zero() &&
                       range.high % kMicrosecond == Duration::zero();
    const Duration unit = whole ? kMicrosecond : Duration(1);
    return unit * draw_from(random, static_cast<std::uint64_t>(range.low / unit),
                            static_cast<std::uint64_t>(range.high / unit));
}

Result<void> parse_actions(Words words, std::vector<Action>& actions) {
    while (true) {
        const auto bar = std::ranges::find(words, "|");
        auto action = parse_action(Words(words.begin(), bar), true);
        if (!action) return action.error();
        actions.push_back(std::move(*action));
        if (bar == words.end()) return {};
        words = Words(bar + 1, words.end());
    }
}

Result<ScriptLine> parse_line(Words words, const std::vector<std::string>& links) {
    ScriptLine line;
    const bool once = words[0] == "at";
    if ((!once && words[0] != "every") || words.size() < 3) {
        return bad_argument("a line is 'every TIME..TIME ACTION | ACTION …' or 'at TIME ACTION'");
    }
    const auto interval = parse_duration_range(words[1]);
    if (!interval) return interval.error();
    line.interval = *interval;
    if (once) {
        line.times = 1;
    } else if (line.interval.low < kMinInterval) {
        return bad_argument("an interval has to be 1ms at least");
    }
    words = words.subspan(2);
    if (!once && words.size() > 2 && words[0] == "times") {
        const auto times = parse_int(words[1]);
        if (!times || *times < 1) return bad_argument("'times' wants a number of 1 or more");
        line.times = static_cast<std::uint64_t>(*times);
        words = words.subspan(2);
    }
    if (words.size() > 1 && words[0] == "on") {
        line.link = std::string(words[1]);
        words = words.subspan(2);
        if (line.link != kAllLinks && std::ranges::find(links, line.link) == links.end()) {
            return bad_argument(fmt::format("there is no link '{}'", printable(line.link, 80)));
        }
    }
    const auto parsed = parse_actions(words, line.actions);
    if (!parsed) return parsed.error();
    return line;
}

}  // namespace

Result<std::vector<ScriptLine>> parse_script(std::string_view text,
                                             const std::vector<std::string>& links) {
    std::vector<ScriptLine> lines;
    std::size_t number = 0;
    for (const auto full : split(text, '\n')) {
        ++number;
        const auto words = words_of(full.substr(0, full.find('#')));
        if (words.empty()) continue;
        if (lines.size() == kMaxLines) return bad_argument("a script has 10000 lines at most");
        auto line = parse_line(words, links);
        if (!line) return line.error().with_context(fmt::format("line {}", number));
        lines.push_back(std::move(*line));
    }
    return lines;
}

ScriptRun::ScriptRun(std::vector<ScriptLine> lines, std::uint64_t seed,
                     std::vector<std::string> links)
    : links_(std::move(links)) {
    std::uint64_t number = 0;
    for (auto& line : lines) {
        // An odd multiplier: lines of one seed, and neighbouring seeds, share no generator.
        const std::uint64_t own_seed = seed + 0x9e3779b97f4a7c15ULL * ++number;
        pending_.push_back({std::move(line), std::mt19937_64(own_seed), std::nullopt});
        schedule(pending_.back(), Duration::zero());
    }
}

void ScriptRun::schedule(Pending& pending, Duration since) {
    pending.at.reset();
    if (pending.line.times && *pending.line.times == 0) return;
    if (pending.line.times) --*pending.line.times;
    pending.at = since + draw_from(pending.random, pending.line.interval);
}

Command ScriptRun::draw(Pending& pending) const {
    auto& random = pending.random;
    const auto pick = [&](const auto& from) -> const auto& {
        return from[static_cast<std::size_t>(draw_from(random, 0, from.size() - 1))];
    };
    Command command;
    command.link = pending.line.link.empty() ? pick(links_) : pending.line.link;
    command.action = pick(pending.line.actions);
    auto& action = command.action;
    if (action.duration) {
        const Duration drawn = draw_from(random, *action.duration);
        action.duration = {drawn, drawn};
    }
    if (action.verb == Verb::truncate) {
        action.bytes.low = draw_from(random, action.bytes.low, action.bytes.high);
        action.bytes.high = action.bytes.low;
        if (!action.way) action.way = pick(kWays);
    }
    return command;
}

std::optional<ScriptRun::Step> ScriptRun::next() {
    const auto when = [](const Pending& pending) { return pending.at.value_or(Duration::max()); };
    const auto first = std::ranges::min_element(pending_, {}, when);
    if (first == pending_.end() || !first->at) return std::nullopt;
    Step step{*first->at, draw(*first)};
    schedule(*first, step.at);
    return step;
}

std::string format_step(const ScriptRun::Step& step) {
    return fmt::format("at {} on {} {}", format_duration(step.at), step.command.link,
                       format_action(step.command.action));
}

}  // namespace hpb::faults
