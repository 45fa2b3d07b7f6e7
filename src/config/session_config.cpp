#include "config/session_config.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace hpb::config {
namespace {

constexpr std::string_view kWindow = "PortBridge:StreamWindowKilobytes";
constexpr std::string_view kMaxWindow = "PortBridge:MaxStreamWindowKilobytes";
constexpr std::uint64_t kKilobyte = 1024;
constexpr std::uint64_t kMegabyte = 1024 * kKilobyte;
constexpr std::size_t kMaxMegabytes = 1024 * 1024;
constexpr std::size_t kMaxKilobytes = 1024 * 1024;
constexpr long long kMaxIdle = 365LL * 24 * 3600;

Protocol read_protocol(SettingReader& reader) {
    const Setting* setting = reader.find("PortBridge:Protocol");
    if (setting == nullptr) return Protocol::automatic;
    const std::string_view value = trim(setting->value);
    if (iequals(value, "auto")) return Protocol::automatic;
    if (iequals(value, "v1")) return Protocol::v1;
    if (iequals(value, "v2")) return Protocol::v2;
    reader.error(*setting, fmt::format("unknown protocol '{}'", printable(value, 40)),
                 "write auto, v1 or v2");
    return Protocol::automatic;
}

void read_windows(SettingReader& reader, SessionOptions& options) {
    const auto kilobytes = [&](std::string_view path, std::uint64_t fallback) {
        return reader.count(path, fallback / kKilobyte, 16, kMaxKilobytes) * kKilobyte;
    };
    options.stream_window = kilobytes(kWindow, options.stream_window);
    options.max_stream_window = kilobytes(kMaxWindow, options.max_stream_window);
    if (options.max_stream_window >= options.stream_window) return;
    const Setting* set = reader.find(kMaxWindow);
    const bool is_default = set == nullptr;
    if (is_default) set = reader.find(kWindow);
    reader.error(*set,
                 fmt::format("MaxStreamWindowKilobytes ({}{}) is below StreamWindowKilobytes ({})",
                             options.max_stream_window / kKilobyte,
                             is_default ? ", the default" : "", options.stream_window / kKilobyte),
                 "a window begins at the smaller and grows to the larger of the two");
}

}  // namespace

SessionOptions read_session_options(SettingReader& reader) {
    SessionOptions options;
    options.protocol = read_protocol(reader);
    options.grace = reader.seconds("PortBridge:SessionGraceSeconds", options.grace, 1, 604'800);
    options.keep_alive = reader.seconds("PortBridge:KeepAliveSeconds", options.keep_alive, 1, 3600);
    options.idle = reader.seconds("PortBridge:SessionIdleSeconds", options.idle, 1, kMaxIdle);
    options.max_sessions = reader.count("PortBridge:MaxSessions", options.max_sessions, 1, 100'000);
    options.memory_budget = reader.count("PortBridge:MemoryBudgetMegabytes",
                                         options.memory_budget / kMegabyte, 16, kMaxMegabytes) *
                            kMegabyte;
    read_windows(reader, options);
    return options;
}

}  // namespace hpb::config
