#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "faults/command.hpp"

namespace hpb::faults {

/// One line of a script: from time to time, or once, one of some actions on one of the links.
struct ScriptLine {
    Range<Duration> interval;  ///< since this line's last action; of `at`: since the start
    std::optional<std::uint64_t> times;  ///< absent: for ever
    std::string link;                    ///< a name, kAllLinks, or "": one is drawn each time
    std::vector<Action> actions;         ///< one is drawn
};

/// Lines like `every 50ms..200ms times 100 on db reset | blackhole 300ms` and `at 2s refuse 1s`;
/// `#` begins a comment. An error names the line.
/// @param links  the names that there are.
[[nodiscard]] Result<std::vector<ScriptLine>> parse_script(std::string_view text,
                                                           const std::vector<std::string>& links);

/// What a script does and when. The same script, seed and links give the same actions at the same
/// times everywhere: lines draw independently of each other from a generator that the C++ standard
/// defines, and nothing depends on when the caller asks.
class ScriptRun {
public:
    ScriptRun(std::vector<ScriptLine> lines, std::uint64_t seed, std::vector<std::string> links);

    struct Step {
        Duration at{};  ///< since the start
        Command command;
    };
    /// @return the next step, in order of time; nullopt when there is none left.
    [[nodiscard]] std::optional<Step> next();

private:
    struct Pending {
        ScriptLine line;
        std::mt19937_64 random;
        std::optional<Duration> at;  // nullopt: used up
    };
    static void schedule(Pending& pending, Duration since);
    [[nodiscard]] Command draw(Pending& pending) const;

    std::vector<Pending> pending_;
    std::vector<std::string> links_;
};

/// A step as a line that a script can hold: a log of a run replays it.
[[nodiscard]] std::string format_step(const ScriptRun::Step& step);

}  // namespace hpb::faults
