#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "ops/log.hpp"

namespace hpb::ops {

/// Longer messages are cut: the queue's memory is its slots times this.
inline constexpr std::size_t kMaxMessageSize = 4096;

/// @return `text` as valid UTF-8 on one line: control characters and broken sequences become '?'.
[[nodiscard]] std::string sanitize(std::string_view text, std::size_t max_size = kMaxMessageSize);

/// One line without its end. Text: `2026-11-22T08:30:00.123Z INFO  relay  message`.
/// JSON: an object with time, level, component and message.
[[nodiscard]] std::string format_line(LogFormat format, std::chrono::system_clock::time_point time,
                                      Level level, std::string_view component,
                                      std::string_view message);

}  // namespace hpb::ops
