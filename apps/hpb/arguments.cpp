#include "hpb/arguments.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/text.hpp"
#include "config/layered_source.hpp"

namespace hpb::app {
namespace {

/// Keys of .NET's host that are written without a capital letter.
constexpr std::string_view kHostKeys[] = {"environment", "urls", "webroot"};

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_key(std::string_view text) {
    return !text.empty() && is_letter(text.front()) &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return is_letter(c) || (c >= '0' && c <= '9') ||
                      std::string_view(":._-").find(c) != std::string_view::npos;
           });
}

/// One letter more, less or other, or two that changed places.
bool differs_by_one(std::string_view a, std::string_view b) {
    if (a.size() > b.size()) std::swap(a, b);
    if (b.size() - a.size() > 1) return false;
    std::size_t same = 0;
    while (same < a.size() && a[same] == b[same]) ++same;
    const std::string_view rest_a = a.substr(same);
    const std::string_view rest_b = b.substr(same);
    if (rest_a.size() < rest_b.size()) return rest_a == rest_b.substr(1);
    if (rest_a.empty() || rest_a.substr(1) == rest_b.substr(1)) return true;
    return rest_a.size() > 1 && rest_a[0] == rest_b[1] && rest_a[1] == rest_b[0] &&
           rest_a.substr(2) == rest_b.substr(2);
}

/// True if somebody who typed `word` may have meant a flag. Short words need to be nearer than
/// nearest() asks for: half of --test is --cert.
bool may_mean_a_flag(std::string_view word, const std::vector<std::string>& flags) {
    const std::string lower = to_lower(word);
    if (lower.size() <= 5) {
        return std::any_of(flags.begin(), flags.end(), [&](const std::string& flag) {
            return flag.size() > 1 && differs_by_one(lower, flag);
        });
    }
    const std::vector<std::string_view> names(flags.begin(), flags.end());
    return !nearest(lower, names).empty();
}

/// A key of another program: its name, and whether the next argument is its value.
struct OtherKey {
    std::string name;
    bool takes_next = false;
};

/// @param next  the argument after it, or "".
std::optional<OtherKey> read_other_key(std::string_view argument, std::string_view next,
                                       const FlagNames& names) {
    std::string_view key = argument;
    const bool has_prefix = argument.starts_with("--") || argument.starts_with('/');
    if (has_prefix) key.remove_prefix(argument.starts_with('/') ? 1 : 2);
    const auto equals = key.find('=');
    const bool has_value = equals != std::string_view::npos;
    key = key.substr(0, equals);
    if (!is_key(key)) return std::nullopt;
    const bool has_colon = key.find(':') != std::string_view::npos;
    if (!has_colon && may_mean_a_flag(key, names.all)) return std::nullopt;
    // A connection string without its -x is a mistake that has an answer of its own.
    if (!has_prefix && argument.find("SharedAccess") != std::string_view::npos) return std::nullopt;
    if (has_value) return OtherKey{std::string(key)};
    const bool has_capital =
        std::any_of(key.begin(), key.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    const bool is_host_key =
        std::find(std::begin(kHostKeys), std::end(kHostKeys), key) != std::end(kHostKeys);
    if (!has_prefix || (!has_colon && !has_capital && !is_host_key)) return std::nullopt;
    return OtherKey{std::string(key), !next.empty() && !next.starts_with('-')};
}

bool takes_the_next(std::string_view argument, const FlagNames& names) {
    if (argument.size() < 2 || argument.front() != '-') return false;
    argument.remove_prefix(argument.starts_with("--") ? 2 : 1);
    return std::find(names.with_value.begin(), names.with_value.end(), argument) !=
           names.with_value.end();
}

}  // namespace

SortedArguments sort_arguments(const std::vector<std::string>& arguments, const FlagNames& names) {
    SortedArguments sorted;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        const bool has_next = i + 1 < arguments.size();
        if (takes_the_next(argument, names)) {
            sorted.flags.push_back(argument);
            if (has_next) sorted.flags.push_back(arguments[++i]);
        } else if (config::is_setting_argument(argument)) {
            sorted.settings.push_back(argument);
            if (argument.find('=') == std::string::npos && has_next) {
                sorted.settings.push_back(arguments[++i]);
            }
        } else if (auto other = read_other_key(argument, has_next ? arguments[i + 1] : "", names)) {
            sorted.others.push_back(std::move(other->name));
            if (other->takes_next) ++i;
        } else {
            sorted.flags.push_back(argument);
        }
    }
    return sorted;
}

}  // namespace hpb::app
