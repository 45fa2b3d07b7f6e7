#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "ops/log.hpp"

namespace hpb::ops {

/// A log file for each UTC day, named by the pattern's {Date}; older ones are removed. Not
/// thread-safe: the log's writer thread owns it. Time is an argument.
///
/// Others may rotate it: a file that is moved or removed is noticed within kLookInterval and made
/// anew, and one that is truncated has room again.
class RollingFile {
public:
    explicit RollingFile(const LogFileOptions& options);
    ~RollingFile();
    RollingFile(const RollingFile&) = delete;
    RollingFile& operator=(const RollingFile&) = delete;

    enum class Outcome {
        written,
        full,    ///< the day's file has reached its limit; the line is dropped
        failed,  ///< the file can't be opened or written; see last_error()
    };
    /// Appends `line` and a line end, in one write.
    Outcome write(std::string_view line, std::chrono::system_clock::time_point now);

    /// Closes the file; the next line opens what has its name then.
    void reopen() { close(); }

    static constexpr std::chrono::seconds kLookInterval{1};

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    /// What the operating system said about the last failure.
    [[nodiscard]] const std::string& last_error() const { return last_error_; }

private:
    bool open(const std::string& date);
    void look_again();
    void close();
    void remove_old_files() const;

    LogFileOptions options_;
    std::string prefix_;  ///< path format before {Date}
    std::string suffix_;  ///< and after it
    bool has_date_ = false;
    std::string date_;  ///< of the open file
    std::filesystem::path path_;
    std::string last_error_;
    std::uint64_t size_ = 0;
    std::chrono::system_clock::time_point looked_at_;
    int descriptor_ = -1;
};

}  // namespace hpb::ops
