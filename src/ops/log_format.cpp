#include "ops/log_format.hpp"

#include <algorithm>
#include <cstdint>

namespace hpb::ops {
namespace {

/// @return the size of the well-formed UTF-8 character at `text[at]`, or 0.
std::size_t character_size(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[at + i]); };
    const std::uint8_t first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() - at < size) return 0;
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    // Overlong forms, surrogates, and beyond U+10FFFF.
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) > 0x9f) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return size;
}

bool is_control(std::string_view character) {
    const auto first = static_cast<std::uint8_t>(character[0]);
    if (character.size() == 1) return first < 0x20 || first == 0x7f;
    // C1 controls, and the two separators that some viewers break lines at.
    if (character.size() == 2)
        return first == 0xc2 && static_cast<std::uint8_t>(character[1]) < 0xa0;
    return character == "\xe2\x80\xa8" || character == "\xe2\x80\xa9";
}

std::string_view name_of(Level level) {
    switch (level) {
        case Level::trace:
            return "TRACE";
        case Level::debug:
            return "DEBUG";
        case Level::info:
            return "INFO";
        case Level::warn:
            return "WARN";
        case Level::error:
            return "ERROR";
        case Level::off:
            break;
    }
    return "OFF";
}

std::string_view json_name_of(Level level) {
    switch (level) {
        case Level::trace:
            return "trace";
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warn:
            return "warn";
        case Level::error:
            return "error";
        case Level::off:
            break;
    }
    return "off";
}

// Controls are gone already, so two characters are left to escape.
std::string json_escape(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 8);
    for (const char c : text) {
        if (c == '"' || c == '\\') out.push_back('\\');
        out.push_back(c);
    }
    return out;
}

std::string timestamp(std::chrono::system_clock::time_point time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::milliseconds>(time - day)};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

}  // namespace

std::string sanitize(std::string_view text, std::size_t max_size) {
    std::string out;
    out.reserve(std::min(text.size(), max_size));
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t size = character_size(text, at);
        const std::string_view character = text.substr(at, size == 0 ? 1 : size);
        if (out.size() + character.size() > max_size) {
            out += "...";
            break;
        }
        if (size == 0 || is_control(character)) {
            out.push_back('?');
        } else {
            out += character;
        }
        at += character.size();
    }
    return out;
}

std::string format_line(LogFormat format, std::chrono::system_clock::time_point time, Level level,
                        std::string_view component, std::string_view message) {
    const std::string clean_component = sanitize(component, 64);
    const std::string clean_message = sanitize(message);
    if (format == LogFormat::json) {
        return fmt::format(R"({{"time":"{}","level":"{}","component":"{}","message":"{}"}})",
                           timestamp(time), json_name_of(level), json_escape(clean_component),
                           json_escape(clean_message));
    }
    return fmt::format("{} {:<5} {}  {}", timestamp(time), name_of(level), clean_component,
                       clean_message);
}

}  // namespace hpb::ops
