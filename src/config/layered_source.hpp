#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "config/diagnostics.hpp"

namespace hpb::config {

/// Bounds of one configuration file.
inline constexpr std::size_t kMaxFileSize = 4 * 1024 * 1024;
inline constexpr std::size_t kMaxFileDepth = 32;
inline constexpr std::size_t kMaxFileKeys = 100'000;
inline constexpr std::size_t kMaxPathSize = 1024;

/// The top-level sections that are ours. Others, in files and in the environment, are somebody
/// else's.
inline constexpr std::string_view kSections[] = {"PortBridge", "Relay", "Tls", "Serilog",
                                                 "AgentMetrics"};

/// Where something is that no file has.
inline constexpr std::string_view kNoOrigin = "configuration";

/// One key of the merged configuration. Every value is text until somebody asks for a type.
struct Setting {
    std::string path;                 ///< as spelled where it was set
    std::string value;                ///< may be secret: never part of a message
    std::string origin;               ///< "FILE:LINE", "environment" or "command line --flag"
    int layer = 0;                    ///< the higher one won
    std::filesystem::path directory;  ///< of the file; empty for environment and command line
};

/// A command-line flag that stands for a key, e.g. --ca for PortBridge:ServiceNamespace:CaFile.
struct FlagSetting {
    std::string key;
    std::string value;
    std::string flag;  ///< for messages, e.g. "--ca"
};

/// Where the layers come from (docs/configuration.md, "Where settings come from"). Later ones win.
struct SourceInputs {
    std::filesystem::path program_directory;           ///< holds appsettings.json
    std::optional<std::filesystem::path> config_file;  ///< --config: in its place; must exist
    std::filesystem::path settings_directory = "/settings";
    std::filesystem::path secrets_directory = "/secrets";
    std::vector<std::pair<std::string, std::string>> environment;
    std::vector<std::string>
        arguments;  ///< those for which is_setting_argument() holds, with values
    std::vector<std::string> other_keys;  ///< keys of no section of ours on the command line
    std::vector<FlagSetting> flags;

    /// @return inputs for this process: its executable's directory and its environment.
    static SourceInputs of_process();
    /// @return the value of an environment variable, nullptr if there is none.
    [[nodiscard]] const std::string* variable(std::string_view name) const;
};

/// True for `--Section:Key…`, `/Section:Key…` and `Section:Key=…` with one of our sections.
[[nodiscard]] bool is_setting_argument(std::string_view argument);

/// The merged layers: a flat map of case-insensitive paths with ':' between their parts; arrays are
/// numbered parts and merge by number.
class LayeredSource {
public:
    /// Adds the text of a JSON file (comments, trailing commas and a byte order mark are accepted).
    void add_json(std::string_view text, const std::string& name,
                  const std::filesystem::path& directory, Diagnostics& diagnostics);
    void add_environment(const std::vector<std::pair<std::string, std::string>>& environment);
    void add_arguments(const std::vector<std::string>& arguments, Diagnostics& diagnostics);
    void add_flags(const std::vector<FlagSetting>& flags);

    /// @return nullptr if no layer has the key.
    [[nodiscard]] const Setting* find(std::string_view path) const;
    /// The JSON text of an object or array that some layer keeps whole (UserMetadata), else
    /// nullptr.
    [[nodiscard]] const Setting* find_json(std::string_view path) const;
    /// True if there is a key at or below `path`.
    [[nodiscard]] bool has(std::string_view path) const;
    /// Names of the parts right below `path`, each once: numbers by value, then the others by name.
    [[nodiscard]] std::vector<std::string> children(std::string_view path) const;
    /// Names of the top-level sections, ours and others'.
    [[nodiscard]] std::vector<std::string> sections() const;
    /// Every setting below `path`, in the order of their keys.
    [[nodiscard]] std::vector<const Setting*> below(std::string_view path) const;
    /// For messages about something that is missing: the file that has the section, or
    /// "configuration".
    [[nodiscard]] std::string origin_of_section(std::string_view path) const;

    /// The main file if it was read, or kNoOrigin.
    [[nodiscard]] const std::string& default_origin() const { return default_origin_; }
    void set_default_origin(std::string origin) { default_origin_ = std::move(origin); }

private:
    void set(Setting setting);

    std::map<std::string, Setting> settings_;  // by lower-case path
    std::map<std::string, Setting> json_;
    std::string default_origin_{kNoOrigin};
    int layer_ = 0;
};

/// Reads all layers. Errors (unreadable or malformed files) go to `diagnostics`.
[[nodiscard]] LayeredSource load_layers(const SourceInputs& inputs, Diagnostics& diagnostics);

}  // namespace hpb::config
