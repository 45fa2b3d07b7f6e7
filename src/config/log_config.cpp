#include "config/log_config.hpp"

#include <fmt/format.h>

#include <limits>

#include "config/setting_reader.hpp"

namespace hpb::config {
namespace {

constexpr std::string_view kSinks = "Serilog:WriteTo";
constexpr std::string_view kDate = "{Date}";

/// One item of Serilog:WriteTo: an object with Name and Args, or just the name.
struct Sink {
    std::string section;
    std::string name;

    [[nodiscard]] bool is_console() const {
        return iequals(name, "Console") || iequals(name, "LiterateConsole") ||
               iequals(name, "ColoredConsole");
    }
    [[nodiscard]] bool is_rolling_file() const { return iequals(name, "RollingFile"); }
    [[nodiscard]] bool is_file() const { return is_rolling_file() || iequals(name, "File"); }
    [[nodiscard]] std::string argument(std::string_view key) const {
        return fmt::format("{}:Args:{}", section, key);
    }
};

std::vector<Sink> read_sinks(const LayeredSource& source) {
    std::vector<Sink> sinks;
    for (const auto& item : source.children(kSinks)) {
        Sink sink{fmt::format("{}:{}", kSinks, item), {}};
        const Setting* name = source.find(sink.section + ":Name");
        if (name == nullptr) name = source.find(sink.section);
        if (name != nullptr) sink.name = trim(name->value);
        sinks.push_back(std::move(sink));
    }
    return sinks;
}

/// "logs/agent.log" -> "logs/agent<insert>.log"
std::string insert_before_extension(const std::string& path, std::string_view insert) {
    const auto slash = path.find_last_of("/\\");
    const auto dot = path.rfind('.');
    const bool has_extension =
        dot != std::string::npos && (slash == std::string::npos || dot > slash + 1) && dot > 0;
    const std::size_t at = has_extension ? dot : path.size();
    return path.substr(0, at) + std::string(insert) + path.substr(at);
}

/// A sink's own restrictedToMinimumLevel.
ops::Level read_sink_level(SettingReader& reader, const Sink& sink) {
    const Setting* level = reader.find(sink.argument("restrictedToMinimumLevel"));
    if (level == nullptr) return ops::Level::trace;
    const auto parsed = parse_level(trim(level->value));
    if (!parsed) {
        reader.error(*level, fmt::format("unknown level '{}'", printable(level->value, 40)),
                     "the levels are Verbose, Debug, Information, Warning, Error and Fatal");
    }
    return parsed.value_or(ops::Level::trace);
}

void read_file_sink(SettingReader& reader, const Sink& sink, ops::LogFileOptions& file) {
    const std::string path_key = sink.argument(sink.is_rolling_file() ? "pathFormat" : "path");
    file.path_format = reader.text(path_key);
    if (file.path_format.empty()) {
        reader.missing(path_key, "the log file has no name", "set it, or remove the sink");
        return;
    }
    if (sink.is_rolling_file()) {
        // Hourly files of the original become daily ones, with the same names but for the hour.
        for (const std::string_view part : {"{Hour}", "{HalfHour}"}) {
            if (const auto at = file.path_format.find(part); at != std::string::npos) {
                file.path_format.replace(at, part.size(), kDate);
            }
        }
        if (file.path_format.find(kDate) == std::string::npos) {
            file.path_format = insert_before_extension(file.path_format, "-{Date}");
        }
    } else {
        const std::string interval = reader.text(sink.argument("rollingInterval"));
        if (!interval.empty() && !iequals(interval, "Infinite")) {
            file.path_format = insert_before_extension(file.path_format, kDate);
        }
    }
    file.level = read_sink_level(reader, sink);
    constexpr long long kMax = std::numeric_limits<long long>::max();
    const auto limit = [&](std::string_view name, long long fallback) {
        const std::string key = sink.argument(name);
        // null, which arrives as empty text, means no limit.
        if (reader.source().find(key) != nullptr && reader.find(key) == nullptr) return 0LL;
        return reader.integer(key, fallback, 1, kMax);
    };
    file.size_limit = static_cast<std::uint64_t>(
        limit("fileSizeLimitBytes", static_cast<long long>(file.size_limit)));
    file.retained_files = static_cast<std::size_t>(
        limit("retainedFileCountLimit", static_cast<long long>(file.retained_files)));
}

void read_level(SettingReader& reader, ops::LogOptions& options) {
    const Setting* level = reader.find("Serilog:MinimumLevel:Default");
    if (level == nullptr) level = reader.find("Serilog:MinimumLevel");
    if (level == nullptr) return;
    if (const auto parsed = parse_level(trim(level->value))) {
        options.level = *parsed;
    } else {
        reader.error(*level, fmt::format("unknown level '{}'", printable(level->value, 40)),
                     "the levels are Verbose, Debug, Information, Warning, Error and Fatal");
    }
}

void apply_flags(const LogFlags& flags, ops::LogOptions& options, Diagnostics& diagnostics) {
    if (!flags.level.empty()) {
        if (const auto parsed = parse_level(flags.level)) {
            options.level = *parsed;
            options.console_level = ops::Level::trace;  // who asks for a level wants to see it
        } else {
            diagnostics.errors.push_back(
                {"command line", "--log-level",
                 fmt::format("unknown level '{}'", printable(flags.level, 40)),
                 "the levels are trace, debug, info, warn, error and off"});
        }
    }
    if (iequals(flags.format, "json")) {
        options.format = ops::LogFormat::json;
    } else if (!flags.format.empty() && !iequals(flags.format, "text")) {
        diagnostics.errors.push_back(
            {"command line", "--log-format",
             fmt::format("unknown format '{}'", printable(flags.format, 40)),
             "the formats are text and json"});
    }
}

}  // namespace

std::optional<ops::Level> parse_level(std::string_view text) {
    struct Name {
        std::string_view text;
        ops::Level level;
    };
    static constexpr Name kNames[] = {
        {"trace", ops::Level::trace}, {"verbose", ops::Level::trace},
        {"debug", ops::Level::debug}, {"info", ops::Level::info},
        {"warn", ops::Level::warn},   {"information", ops::Level::info},
        {"error", ops::Level::error}, {"warning", ops::Level::warn},
        {"fatal", ops::Level::error}, {"off", ops::Level::off},
    };
    for (const Name& name : kNames) {
        if (iequals(name.text, text)) return name.level;
    }
    return std::nullopt;
}

ops::LogOptions read_log_options(const LayeredSource& source, const LogFlags& flags,
                                 Diagnostics& diagnostics) {
    SettingReader reader(source, diagnostics);
    ops::LogOptions options;
    read_level(reader, options);
    const auto sinks = read_sinks(source);
    bool console = sinks.empty();
    for (const Sink& sink : sinks) {
        if (sink.is_console()) {
            console = true;
            options.console_level = read_sink_level(reader, sink);
        }
        if (sink.is_file() && options.file.path_format.empty()) {
            read_file_sink(reader, sink, options.file);
        }
    }
    // Sinks that are all of unknown kinds must not make the log silent.
    options.console = console || options.file.path_format.empty();
    apply_flags(flags, options, diagnostics);
    return options;
}

std::string not_carried_over(const LayeredSource& source) {
    std::vector<std::string> parts;
    if (source.has("AgentMetrics")) {
        parts.emplace_back(
            "AgentMetrics (no meters are reported; the log reports every change of state)");
    }
    bool has_file = false;
    bool has_template = false;
    for (const Sink& sink : read_sinks(source)) {
        has_template |=
            source.has(sink.argument("outputTemplate")) || source.has(sink.argument("formatter"));
        if (sink.is_console()) continue;
        if (!sink.is_file()) {
            parts.push_back(fmt::format("the Serilog sink {} (use Console or RollingFile)",
                                        printable(sink.name, 40)));
        } else if (has_file) {
            parts.push_back(fmt::format("{} (one log file is written)", sink.section));
        }
        has_file |= sink.is_file();
    }
    if (has_template) parts.emplace_back("outputTemplate (lines are fixed; see --log-format)");
    if (source.has("Serilog:MinimumLevel:Override")) {
        parts.emplace_back(
            "Serilog:MinimumLevel:Override (there is one level: MinimumLevel:Default)");
    }
    for (const std::string_view section : {"AuditTo", "LevelSwitches", "FilterSwitches"}) {
        if (source.has(fmt::format("Serilog:{}", section))) {
            parts.push_back(fmt::format("Serilog:{}", section));
        }
    }
    for (const std::string_view section : {"Properties", "Enrich", "Filter", "Destructure"}) {
        if (source.has(fmt::format("Serilog:{}", section))) {
            parts.push_back(fmt::format("Serilog:{} (the fields of log lines are fixed)", section));
        }
    }
    if (parts.empty()) return {};
    return fmt::format("not carried over: {}", fmt::join(parts, ", "));
}

}  // namespace hpb::config
