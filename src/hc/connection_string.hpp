#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hpb::hc {

/// An Azure Relay connection string (docs/configuration.md, "Connection strings").
struct ConnectionString {
    std::string endpoint;  ///< sb://host[:port]/
    std::string entity_path;
    std::string key_name;
    std::string key;
    std::string signature;  ///< a ready-made token; excludes key_name and key
    std::optional<std::chrono::milliseconds> operation_timeout;
};

/// Errors name the key concerned and never repeat a value that may be secret.
[[nodiscard]] Result<ConnectionString> parse_connection_string(std::string_view text);

}  // namespace hpb::hc
