// The one translation unit that includes spdlog: it brings the bounded queue and its thread; lines
// are made by log_format.cpp and files by rolling_file.cpp.
#include "ops/log.hpp"

#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "ops/limits.hpp"
#include "ops/log_format.hpp"
#include "ops/rolling_file.hpp"

namespace hpb::ops {
namespace {

// Bound of the queue: this many lines of at most kMaxMessageSize. When it is full the oldest goes,
// since waiting would make the disk or the terminal stall traffic.
constexpr std::size_t kQueueSlots = 4096;

void write_console(std::string_view line) {
    std::string text(line);
    text.push_back('\n');
    // One call, so that lines of different processes on one terminal do not mix.
    std::fwrite(text.data(), 1, text.size(), stderr);
}

/// Runs on the queue's thread only.
class LineSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
    explicit LineSink(const LogOptions& options)
        : format_(options.format),
          console_(options.console),
          console_level_(options.console_level),
          file_level_(options.file.level) {
        if (!options.file.path_format.empty()) file_.emplace(options.file);
    }

    /// Where the count of overwritten lines is; the queue outlives every call of this sink.
    void watch(spdlog::details::thread_pool& queue) { queue_ = &queue; }

    /// From any thread; done with the next line or flush.
    void reopen() { reopen_ = true; }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        if (reopen_.exchange(false, std::memory_order_relaxed) && file_) file_->reopen();
        report_overruns(message.time);
        write(static_cast<Level>(message.level), {message.payload.data(), message.payload.size()},
              message.time);
    }
    void flush_() override {
        if (reopen_.exchange(false, std::memory_order_relaxed) && file_) file_->reopen();
        std::fflush(stderr);
    }

private:
    void write(Level level, std::string_view line, std::chrono::system_clock::time_point now) {
        if (console_ && level >= console_level_) write_console(line);
        if (!file_ || level < file_level_) return;
        const auto outcome = file_->write(line, now);
        if (outcome != RollingFile::Outcome::written) {
            ++lost_;
            reached(Limit::lost_lines);
        }
        if (outcome == last_outcome_) return;
        last_outcome_ = outcome;  // one line for each change, not for each line lost
        if (outcome == RollingFile::Outcome::written) {
            const std::string line_of_loss =
                format_line(format_, now, Level::warn, "log",
                            fmt::format("the log file {} can be written again; {} lines were lost",
                                        file_->path().string(), std::exchange(lost_, 0)));
            write_console(line_of_loss);
            (void)file_->write(line_of_loss, now);
        } else if (outcome == RollingFile::Outcome::failed) {
            tell(now, Level::error,
                 "the log file {} can't be written: {}; lines are lost until it can",
                 file_->path().string(), file_->last_error());
        } else if (outcome == RollingFile::Outcome::full) {
            tell(now, Level::warn,
                 "the log file {} is full; nothing more is written to it until tomorrow",
                 file_->path().string());
        }
    }

    template <class... Args>
    void tell(std::chrono::system_clock::time_point now, Level level,
              fmt::format_string<Args...> format, Args&&... args) {
        const std::string message = fmt::format(format, std::forward<Args>(args)...);
        write_console(format_line(format_, now, level, "log", message));
    }

    void report_overruns(std::chrono::system_clock::time_point now) {
        const std::size_t overruns = queue_ == nullptr ? 0 : queue_->overrun_counter();
        if (overruns == reported_overruns_) return;
        const std::size_t lost = overruns - reported_overruns_;
        reported_overruns_ = overruns;
        reached(Limit::lost_lines, lost);
        write(Level::warn,
              format_line(
                  format_, now, Level::warn, "log",
                  fmt::format("{} lines were lost: more was logged than could be written", lost)),
              now);
    }

    LogFormat format_;
    bool console_;
    Level console_level_;
    Level file_level_;
    std::optional<RollingFile> file_;
    RollingFile::Outcome last_outcome_ = RollingFile::Outcome::written;
    std::uint64_t lost_ = 0;  // since the file last took a line
    std::atomic<bool> reopen_{false};
    spdlog::details::thread_pool* queue_ = nullptr;
    std::size_t reported_overruns_ = 0;
};

struct Log {
    LogFormat format = LogFormat::text;
    std::shared_ptr<LineSink> sink;
    std::shared_ptr<spdlog::details::thread_pool> queue;
    std::shared_ptr<spdlog::async_logger> logger;
};

// Set by init_log before threads start and cleared by shut_down_log after they have ended.
std::unique_ptr<Log>& instance() {
    static std::unique_ptr<Log> log;
    return log;
}
std::atomic<Level> threshold{Level::info};

}  // namespace

void init_log(const LogOptions& options) {
    shut_down_log();
    auto log = std::make_unique<Log>();
    log->format = options.format;
    log->queue = std::make_shared<spdlog::details::thread_pool>(kQueueSlots, 1);
    auto sink = std::make_shared<LineSink>(options);
    sink->watch(*log->queue);
    log->sink = sink;
    log->logger = std::make_shared<spdlog::async_logger>(
        "hpb", std::move(sink), log->queue, spdlog::async_overflow_policy::overrun_oldest);
    log->logger->set_level(spdlog::level::trace);  // log_enabled() has decided already
    threshold = options.level;
    instance() = std::move(log);
}

void shut_down_log() {
    if (!instance()) return;
    instance()->queue.reset();  // the logger holds it weakly: this writes what is queued and joins
    instance().reset();
    std::fflush(stderr);
}

void reopen_log() {
    if (!instance()) return;
    instance()->sink->reopen();
    instance()->logger->flush();
}

bool log_enabled(Level level) {
    return level != Level::off && level >= threshold.load(std::memory_order_relaxed);
}

void log_line(Level level, std::string_view component, std::string_view message) {
    if (!log_enabled(level)) return;
    const auto now = std::chrono::system_clock::now();
    Log* const log = instance().get();
    if (log == nullptr) {
        write_console(format_line(LogFormat::text, now, level, component, message));
        return;
    }
    const std::string line = format_line(log->format, now, level, component, message);
    static_assert(static_cast<int>(Level::error) == static_cast<int>(spdlog::level::err));
    log->logger->log(now, spdlog::source_loc{}, static_cast<spdlog::level::level_enum>(level),
                     spdlog::string_view_t(line.data(), line.size()));
}

bool LogLimiter::admit(std::chrono::steady_clock::time_point now, std::uint64_t& suppressed) {
    if (now < next_) {
        ++held_back_;
        reached(Limit::held_back_lines);
        return false;
    }
    suppressed = held_back_;
    held_back_ = 0;
    next_ = now + period_;
    return true;
}

}  // namespace hpb::ops
