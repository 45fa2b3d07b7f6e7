#include "config/layered_source.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <tuple>

#include "config/json_reader.hpp"
#include "config/strict_json.hpp"

namespace hpb::config {
namespace {

bool is_our_section(std::string_view key) {
    const std::string_view section = key.substr(0, key.find(':'));
    return std::any_of(std::begin(kSections), std::end(kSections),
                       [&](std::string_view ours) { return iequals(section, ours); });
}

std::string_view without_prefix(std::string_view argument) {
    if (argument.starts_with("--")) return argument.substr(2);
    if (argument.starts_with('/')) return argument.substr(1);
    return argument;
}

/// @return nullopt with a problem reported, or the file's text.
std::optional<std::string> read_file(const std::filesystem::path& path, Diagnostics& diagnostics) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error && size > kMaxFileSize) {
        diagnostics.errors.push_back({path.string(), "", fmt::format("the file has {} bytes", size),
                                      fmt::format("{} is the limit", kMaxFileSize)});
        return std::nullopt;
    }
    std::ifstream in(path, std::ios::binary);
    std::string text(kMaxFileSize + 1, '\0');
    errno = 0;
    if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!in.is_open() || in.bad() || (error && error != std::errc::not_supported)) {
        const std::string why = errno != 0 ? std::strerror(errno) : error.message();
        diagnostics.errors.push_back(
            {path.string(), "", "can't be read: " + why, "check the name and its permissions"});
        return std::nullopt;
    }
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

bool load_file(LayeredSource& source, const std::filesystem::path& path, bool required,
               Diagnostics& diagnostics) {
    std::error_code ignored;
    if (!required && !std::filesystem::exists(path, ignored)) return false;
    const auto text = read_file(path, diagnostics);
    if (text) source.add_json(*text, path.string(), path.parent_path(), diagnostics);
    return text.has_value();
}

void warn_of_other_keys(const std::vector<std::string>& keys, Diagnostics& diagnostics) {
    for (const auto& key : keys) {
        const std::string_view near = nearest(key.substr(0, key.find(':')), kSections);
        diagnostics.warnings.push_back(
            {"command line", printable(key, 80), "not a key of hpb, it has no effect",
             near.empty() ? "remove it" : fmt::format("did you mean {}?", near)});
    }
}

}  // namespace

SourceInputs SourceInputs::of_process() {
    SourceInputs inputs;
    std::error_code error;
    inputs.program_directory = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        inputs.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return inputs;
}

const std::string* SourceInputs::variable(std::string_view name) const {
    for (const auto& [key, value] : environment) {
        if (key == name) return &value;
    }
    return nullptr;
}

bool is_setting_argument(std::string_view argument) {
    const std::string_view key = without_prefix(argument);
    const auto colon = key.find(':');
    if (colon == std::string_view::npos || key.find('=') < colon || !is_our_section(key))
        return false;
    // Without a prefix only key=value can be told from a positional argument.
    return key.size() != argument.size() || key.find('=') != std::string_view::npos;
}

void LayeredSource::set(Setting setting) {
    setting.layer = layer_;
    settings_.insert_or_assign(to_lower(setting.path), std::move(setting));
}

void LayeredSource::add_json(std::string_view text, const std::string& name,
                             const std::filesystem::path& directory, Diagnostics& diagnostics) {
    ++layer_;
    JsonFile file = read_json_file(text);
    if (!file.is_json) {
        // .NET takes more than JSON; places in the file are those of the lines as they are.
        JsonFile lenient = read_json_file(to_strict_json(text));
        if (lenient.is_json) file = std::move(lenient);
    }
    for (const auto& problem : file.problems) {
        diagnostics.errors.push_back(
            {fmt::format("{}:{}", name, problem.line), problem.path, problem.what, ""});
    }
    for (const auto& entry : file.settings) {
        Setting setting{entry.path, entry.value, fmt::format("{}:{}", name, entry.line), layer_,
                        directory};
        if (entry.is_json) {
            json_.insert_or_assign(to_lower(entry.path), std::move(setting));
        } else {
            set(std::move(setting));
        }
    }
}

void LayeredSource::add_environment(
    const std::vector<std::pair<std::string, std::string>>& environment) {
    ++layer_;
    for (const auto& [name, value] : environment) {
        if (name == "HPB_CONNECTION_STRING") {
            set({"PortBridge:ServiceNamespace:ConnectionString",
                 value,
                 "environment HPB_CONNECTION_STRING",
                 layer_,
                 {}});
            continue;
        }
        std::string path = name;
        for (auto at = path.find("__"); at != std::string::npos; at = path.find("__", at + 1)) {
            path.replace(at, 2, ":");
        }
        if (path.find(':') == std::string::npos || path.size() > kMaxPathSize) continue;
        if (is_our_section(path)) set({path, value, "environment", layer_, {}});
    }
}

void LayeredSource::add_arguments(const std::vector<std::string>& arguments,
                                  Diagnostics& diagnostics) {
    ++layer_;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = without_prefix(arguments[i]);
        const auto equals = argument.find('=');
        const std::string key(argument.substr(0, equals));
        std::string value;
        if (equals != std::string_view::npos) {
            value = argument.substr(equals + 1);
        } else if (i + 1 < arguments.size()) {
            value = arguments[++i];
        } else {
            diagnostics.errors.push_back({"command line", key, "the key has no value",
                                          fmt::format("write --{}=VALUE", key)});
            continue;
        }
        set({key, std::move(value), "command line", layer_, {}});
    }
}

void LayeredSource::add_flags(const std::vector<FlagSetting>& flags) {
    ++layer_;
    for (const auto& flag : flags) {
        set({flag.key, flag.value, "command line " + flag.flag, layer_, {}});
    }
}

const Setting* LayeredSource::find(std::string_view path) const {
    const auto it = settings_.find(to_lower(path));
    return it == settings_.end() ? nullptr : &it->second;
}

const Setting* LayeredSource::find_json(std::string_view path) const {
    const auto it = json_.find(to_lower(path));
    return it == json_.end() ? nullptr : &it->second;
}

bool LayeredSource::has(std::string_view path) const {
    return find(path) != nullptr || find_json(path) != nullptr || !below(path).empty();
}

std::vector<const Setting*> LayeredSource::below(std::string_view path) const {
    const std::string prefix = to_lower(path) + ":";
    std::vector<const Setting*> out;
    for (auto it = settings_.lower_bound(prefix);
         it != settings_.end() && it->first.starts_with(prefix); ++it) {
        out.push_back(&it->second);
    }
    return out;
}

std::vector<std::string> LayeredSource::children(std::string_view path) const {
    std::set<std::string> seen;
    std::vector<std::string> out;
    const auto collect = [&](const Setting& setting) {
        std::string_view rest = std::string_view(setting.path).substr(path.size() + 1);
        rest = rest.substr(0, rest.find(':'));
        if (seen.insert(to_lower(rest)).second) out.emplace_back(rest);
    };
    for (const Setting* setting : below(path)) collect(*setting);
    const std::string prefix = to_lower(path) + ":";
    for (auto it = json_.lower_bound(prefix); it != json_.end() && it->first.starts_with(prefix);
         ++it) {
        collect(it->second);
    }
    std::sort(out.begin(), out.end(), [](const std::string& a, const std::string& b) {
        const auto x = parse_int(a);
        const auto y = parse_int(b);
        return std::tuple(!x, x.value_or(0), to_lower(a)) <
               std::tuple(!y, y.value_or(0), to_lower(b));
    });
    return out;
}

std::vector<std::string> LayeredSource::sections() const {
    std::vector<std::string> out;
    for (const auto& [key, setting] : settings_) {
        const std::string_view name =
            std::string_view(setting.path).substr(0, setting.path.find(':'));
        if (out.empty() || !iequals(out.back(), name)) out.emplace_back(name);
    }
    return out;
}

std::string LayeredSource::origin_of_section(std::string_view path) const {
    const Setting* best = nullptr;
    for (const Setting* setting : below(path)) {
        if (!setting->directory.empty() && (best == nullptr || setting->layer < best->layer)) {
            best = setting;
        }
    }
    if (best == nullptr) return default_origin_;
    return best->origin.substr(0, best->origin.rfind(':'));
}

LayeredSource load_layers(const SourceInputs& inputs, Diagnostics& diagnostics) {
    LayeredSource source;
    const auto main_file =
        inputs.config_file.value_or(inputs.program_directory / "appsettings.json");
    if (load_file(source, main_file, inputs.config_file.has_value(), diagnostics)) {
        source.set_default_origin(main_file.string());
    }
    load_file(source, inputs.settings_directory / "appsettings.json", false, diagnostics);
    load_file(source, inputs.secrets_directory / "appsettings.json", false, diagnostics);
    for (const std::string_view name : {"Hosting:Environment", "Hosting__Environment"}) {
        const std::string* environment = inputs.variable(name);
        if (environment == nullptr || environment->empty()) continue;
        const auto file =
            main_file.parent_path() / fmt::format("appsettings.{}.json", *environment);
        load_file(source, file, false, diagnostics);
        break;
    }
    source.add_environment(inputs.environment);
    source.add_arguments(inputs.arguments, diagnostics);
    source.add_flags(inputs.flags);
    warn_of_other_keys(inputs.other_keys, diagnostics);
    return source;
}

}  // namespace hpb::config
