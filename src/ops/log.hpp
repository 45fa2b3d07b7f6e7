// ops: what an operator sees (logs). Not here: what happens; every layer that decides something
// logs it once. log functions may be called from any thread and never block on the disk or the
// terminal.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace hpb::ops {

enum class Level { trace, debug, info, warn, error, off };

enum class LogFormat { text, json };

/// A rolling file as Serilog's RollingFile sink names it.
struct LogFileOptions {
    std::string path_format;  ///< with {Date} for yyyyMMdd; "": no file
    std::uint64_t size_limit =
        1024ull << 20;                ///< bytes a file; 0: none. A full file takes no more that day
    std::size_t retained_files = 31;  ///< 0: all
    Level level = Level::trace;       ///< lines below it are not written to the file
};

struct LogOptions {
    Level level = Level::info;
    LogFormat format = LogFormat::text;
    bool console = true;  ///< to standard error: standard output is for the line `ready …`
    Level console_level = Level::trace;  ///< lines below it are not written to the console
    LogFileOptions file;
};

/// Call once, before threads start. Until then, lines go to standard error as text.
void init_log(const LogOptions& options);
/// Writes out what is queued. Call before the process ends.
void shut_down_log();
/// Makes the log's thread close its file and open what has that name now: after somebody else has
/// rotated it.
void reopen_log();

[[nodiscard]] bool log_enabled(Level level);

/// One line; control characters in it are replaced, so a peer's bytes cannot forge a line.
void log_line(Level level, std::string_view component, std::string_view message);

template <class... Args>
void log(Level level, std::string_view component, fmt::format_string<Args...> format,
         Args&&... args) {
    if (log_enabled(level))
        log_line(level, component, fmt::format(format, std::forward<Args>(args)...));
}

/// @param message  makes the line, and is called only if somebody wants it: for lines of the data
/// path, whose parts cost more than the question.
template <std::invocable Message>
void log_debug(std::string_view component, Message&& message) {
    if (log_enabled(Level::debug)) log_line(Level::debug, component, message());
}
template <class... Args>
void log_debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
    log(Level::debug, component, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
    log(Level::info, component, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_warn(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
    log(Level::warn, component, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
    log(Level::error, component, format, std::forward<Args>(args)...);
}

/// Lets one line through per period and counts the others: for lines that a peer can provoke.
/// Not thread-safe: one per thread or owner. Time is an argument.
class LogLimiter {
public:
    explicit LogLimiter(std::chrono::steady_clock::duration period) : period_(period) {}
    /// @return true if a line may be written now; `suppressed` is then the count since the last
    /// one.
    [[nodiscard]] bool admit(std::chrono::steady_clock::time_point now, std::uint64_t& suppressed);

private:
    std::chrono::steady_clock::duration period_;
    std::chrono::steady_clock::time_point next_{};
    std::uint64_t held_back_ = 0;
};

}  // namespace hpb::ops
