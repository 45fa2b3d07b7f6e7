#include "config/setting_reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "config/dotnet_values.hpp"

namespace hpb::config {
namespace {

constexpr std::size_t kMaxSecretFile = 64 * 1024;

std::filesystem::path resolve(const Setting& setting) {
    const std::filesystem::path name(setting.value);
    return setting.directory.empty() ? name : setting.directory / name;
}

/// The remedy for a file that is not where it was looked for.
std::string where_names_count_from(const Setting& setting) {
    if (!setting.directory.empty())
        return fmt::format("names in that file are relative to its folder, {}",
                           std::filesystem::absolute(setting.directory).string());
    std::error_code ignored;
    return fmt::format("the name is relative to the working directory, {}",
                       std::filesystem::current_path(ignored).string());
}

}  // namespace

SecretFile read_secret_file(const std::filesystem::path& path) {
    SecretFile result;
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        result.error = fmt::format("{} can't be read: {}", path.string(), std::strerror(errno));
        return result;
    }
    struct stat status{};
    const bool readable_by_others = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
                                    (status.st_mode & 0044) != 0;
    std::string text(kMaxSecretFile, '\0');
    std::size_t size = 0;
    ssize_t n = 1;
    while (n > 0 && size < text.size()) {
        n = ::read(descriptor, text.data() + size, text.size() - size);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            size += static_cast<std::size_t>(n);
    }
    const int read_error = n < 0 ? errno : 0;
    ::close(descriptor);
    const std::string_view content =
        without_byte_order_mark(std::string_view(text).substr(0, size));
    result.content = trim(content);
    if (read_error != 0) {
        result.error =
            fmt::format("{} can't be read: {}", path.string(), std::strerror(read_error));
    } else if (is_utf16(content)) {
        result.error = fmt::format("{} is UTF-16; {}", path.string(), kUtf16Remedy);
    } else if (result.content.empty()) {
        result.error = fmt::format("{} is empty", path.string());
    } else if (result.content.find_first_of("\r\n") != std::string::npos) {
        result.error = fmt::format(
            "{} has more than one line; it must contain the key and nothing else", path.string());
    }
    if (!result.error.empty()) result.content.clear();
    if (readable_by_others) {
        result.warning = fmt::format("{} can be read by other users", path.string());
    }
    return result;
}

const Setting* SettingReader::find(std::string_view path) const {
    const Setting* setting = source_.find(path);
    return setting == nullptr || trim(setting->value).empty() ? nullptr : setting;
}

std::string SettingReader::text(std::string_view path) const {
    const Setting* setting = find(path);
    return setting == nullptr ? std::string() : std::string(trim(setting->value));
}

bool SettingReader::boolean(std::string_view path, bool fallback) {
    const Setting* setting = find(path);
    if (setting == nullptr) return fallback;
    const std::string_view value = trim(setting->value);
    if (iequals(value, "true")) return true;
    if (iequals(value, "false")) return false;
    error(*setting, "neither true nor false", "write true or false");
    return fallback;
}

long long SettingReader::integer(std::string_view path, long long fallback, long long min,
                                 long long max) {
    const Setting* setting = find(path);
    if (setting == nullptr) return fallback;
    const auto value = parse_dotnet_int(setting->value);
    if (!value) {
        error(*setting, "not a whole number", fmt::format("write one from {} to {}", min, max));
        return fallback;
    }
    if (*value < min || *value > max) {
        error(*setting, fmt::format("{} is out of range", *value),
              fmt::format("write a number from {} to {}", min, max));
        return fallback;
    }
    return *value;
}

std::size_t SettingReader::count(std::string_view path, std::size_t fallback, std::size_t min,
                                 std::size_t max) {
    return static_cast<std::size_t>(integer(path, static_cast<long long>(fallback),
                                            static_cast<long long>(min),
                                            static_cast<long long>(max)));
}

std::chrono::seconds SettingReader::seconds(std::string_view path, std::chrono::seconds fallback,
                                            long long min, long long max) {
    return std::chrono::seconds(integer(path, fallback.count(), min, max));
}

std::chrono::milliseconds SettingReader::milliseconds(std::string_view path,
                                                      std::chrono::milliseconds fallback,
                                                      long long min, long long max) {
    return std::chrono::milliseconds(integer(path, fallback.count(), min, max));
}

std::chrono::microseconds SettingReader::microseconds(std::string_view path,
                                                      std::chrono::microseconds fallback,
                                                      long long min, long long max) {
    return std::chrono::microseconds(integer(path, fallback.count(), min, max));
}

std::vector<const Setting*> SettingReader::list(std::string_view path) const {
    std::vector<const Setting*> out;
    for (const auto& name : source_.children(path)) {
        if (const Setting* item = find(fmt::format("{}:{}", path, name))) out.push_back(item);
    }
    if (out.empty()) {
        if (const Setting* single = find(path)) out.push_back(single);
    }
    return out;
}

std::string SettingReader::readable_file(std::string_view path) {
    const Setting* setting = find(path);
    if (setting == nullptr) return {};
    const std::string file = resolve(*setting).string();
    if (::access(file.c_str(), R_OK) != 0) {
        const int why = errno;
        error(*setting, fmt::format("{} can't be read: {}", file, std::strerror(why)),
              where_names_count_from(*setting));
    } else if (std::error_code ignored; std::filesystem::is_directory(file, ignored)) {
        error(*setting, fmt::format("{} is a folder", file), "name the PEM file in it");
    }
    return file;
}

std::string SettingReader::secret_file(std::string_view path) {
    const Setting* setting = find(path);
    if (setting == nullptr) return {};
    const auto file = resolve(*setting);
    SecretFile secret = read_secret_file(file);
    if (!secret.error.empty())
        error(*setting, secret.error, "it must contain the key's text on one line");
    if (!secret.warning.empty()) {
        warning(*setting, secret.warning, fmt::format("chmod 600 {}", file.string()));
    }
    return std::move(secret.content);
}

void SettingReader::error(const Setting& at, std::string what, std::string remedy) {
    diagnostics_.errors.push_back({at.origin, at.path, std::move(what), std::move(remedy)});
}

void SettingReader::warning(const Setting& at, std::string what, std::string remedy) {
    diagnostics_.warnings.push_back({at.origin, at.path, std::move(what), std::move(remedy)});
}

void SettingReader::missing(std::string_view path, std::string what, std::string remedy) {
    // The file to edit is the one that has the nearest section around the missing key.
    std::string origin = source_.origin_of_section(path);
    for (std::string_view section = path; origin == source_.default_origin();) {
        const auto colon = section.rfind(':');
        if (colon == std::string_view::npos) break;
        section = section.substr(0, colon);
        origin = source_.origin_of_section(section);
    }
    diagnostics_.errors.push_back(
        {std::move(origin), std::string(path), std::move(what), std::move(remedy)});
}

}  // namespace hpb::config
