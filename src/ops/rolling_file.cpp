#include "ops/rolling_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

namespace hpb::ops {
namespace {

constexpr std::string_view kDate = "{Date}";
constexpr std::size_t kDateSize = 8;  // yyyyMMdd

std::string date_of(std::chrono::system_clock::time_point now) {
    const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(now)};
    return fmt::format("{:04}{:02}{:02}", static_cast<int>(day.year()),
                       static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

}  // namespace

RollingFile::RollingFile(const LogFileOptions& options) : options_(options) {
    const auto at = options_.path_format.find(kDate);
    has_date_ = at != std::string::npos;
    prefix_ = options_.path_format.substr(0, at);
    if (has_date_) suffix_ = options_.path_format.substr(at + kDate.size());
}

RollingFile::~RollingFile() {
    close();
}

RollingFile::Outcome RollingFile::write(std::string_view line,
                                        std::chrono::system_clock::time_point now) {
    const std::string date = date_of(now);
    // Also when the clock was set back.
    if (now - looked_at_ >= kLookInterval || now < looked_at_) {
        looked_at_ = now;
        look_again();
    }
    if ((descriptor_ < 0 || (has_date_ && date != date_)) && !open(date)) return Outcome::failed;

    std::string text(line);
    text.push_back('\n');
    if (options_.size_limit != 0 && size_ + text.size() > options_.size_limit) return Outcome::full;
    const ssize_t written = ::write(descriptor_, text.data(), text.size());
    if (written > 0) size_ += static_cast<std::uint64_t>(written);
    if (written != static_cast<ssize_t>(text.size())) {
        last_error_ = written < 0 ? std::strerror(errno) : "the disk is full";
        close();  // the next line tries afresh: the file may have been moved or the disk cleared
        return Outcome::failed;
    }
    return Outcome::written;
}

bool RollingFile::open(const std::string& date) {
    close();
    path_ = has_date_ ? prefix_ + date + suffix_ : prefix_;
    if (path_.has_parent_path()) {
        std::error_code ignored;  // open() below reports what matters
        std::filesystem::create_directories(path_.parent_path(), ignored);
    }
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor_ < 0) {
        last_error_ = std::strerror(errno);
        return false;
    }
    struct stat status{};
    size_ = ::fstat(descriptor_, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
    date_ = date;
    if (has_date_ && options_.retained_files != 0) remove_old_files();
    return true;
}

/// Is the open file still the one of that name, and how large is it?
void RollingFile::look_again() {
    if (descriptor_ < 0) return;
    struct stat named{};
    struct stat opened{};
    if (::fstat(descriptor_, &opened) != 0 || ::stat(path_.c_str(), &named) != 0 ||
        named.st_dev != opened.st_dev || named.st_ino != opened.st_ino) {
        return close();
    }
    size_ = static_cast<std::uint64_t>(opened.st_size);
}

void RollingFile::close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
}

void RollingFile::remove_old_files() const {
    const std::filesystem::path directory =
        path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
    const std::string name_prefix = std::filesystem::path(prefix_).filename().string();
    std::vector<std::filesystem::path> files;
    std::error_code error;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name.size() != name_prefix.size() + kDateSize + suffix_.size()) continue;
        const std::string digits = name.substr(name_prefix.size(), kDateSize);
        if (name.starts_with(name_prefix) && name.ends_with(suffix_) &&
            std::all_of(digits.begin(), digits.end(),
                        [](char c) { return c >= '0' && c <= '9'; })) {
            files.push_back(it->path());
        }
    }
    if (files.size() <= options_.retained_files) return;
    std::sort(files.begin(), files.end());
    files.resize(files.size() - options_.retained_files);
    for (const auto& file : files) std::filesystem::remove(file, error);
}

}  // namespace hpb::ops
