#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/layered_source.hpp"

namespace hpb::config {

/// Typed reads of a layered source. A value that does not convert or is out of range becomes an
/// error (which names the key and never repeats a value that may be secret), and the default is
/// returned, so that one run finds everything that is wrong. Absent and empty values give the
/// default.
class SettingReader {
public:
    SettingReader(const LayeredSource& source, Diagnostics& diagnostics)
        : source_(source), diagnostics_(diagnostics) {}

    [[nodiscard]] const LayeredSource& source() const { return source_; }
    [[nodiscard]] Diagnostics& diagnostics() { return diagnostics_; }

    /// @return nullptr when absent or blank.
    [[nodiscard]] const Setting* find(std::string_view path) const;
    [[nodiscard]] std::string text(std::string_view path) const;
    [[nodiscard]] bool boolean(std::string_view path, bool fallback);
    [[nodiscard]] long long integer(std::string_view path, long long fallback, long long min,
                                    long long max);
    [[nodiscard]] std::size_t count(std::string_view path, std::size_t fallback, std::size_t min,
                                    std::size_t max);
    [[nodiscard]] std::chrono::seconds seconds(std::string_view path, std::chrono::seconds fallback,
                                               long long min, long long max);
    [[nodiscard]] std::chrono::milliseconds milliseconds(std::string_view path,
                                                         std::chrono::milliseconds fallback,
                                                         long long min, long long max);
    [[nodiscard]] std::chrono::microseconds microseconds(std::string_view path,
                                                         std::chrono::microseconds fallback,
                                                         long long min, long long max);
    /// A list, or one value in its place.
    [[nodiscard]] std::vector<const Setting*> list(std::string_view path) const;
    /// A file name, made absolute by the folder of the file that names it; an error if it can't be
    /// read.
    [[nodiscard]] std::string readable_file(std::string_view path);
    /// The trimmed content of the file that `path` names: a key. Warns if others may read it.
    [[nodiscard]] std::string secret_file(std::string_view path);

    void error(const Setting& at, std::string what, std::string remedy);
    void warning(const Setting& at, std::string what, std::string remedy);
    /// For something that is not there.
    void missing(std::string_view path, std::string what, std::string remedy);

private:
    const LayeredSource& source_;
    Diagnostics& diagnostics_;
};

/// Reads a file that holds one key. Never shows any of it.
struct SecretFile {
    std::string content;  ///< without white space at both ends; secret
    std::string error;
    std::string warning;
};
[[nodiscard]] SecretFile read_secret_file(const std::filesystem::path& path);

}  // namespace hpb::config
