#include "hc/connection_string.hpp"

#include <fmt/format.h>

#include <array>

#include "base/text.hpp"
#include "hc/relay_uri.hpp"
#include "hc/sas_token.hpp"

namespace hpb::hc {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxSize = 16 * 1024;
constexpr std::size_t kMaxTimeoutDays = 24;  // what fits 32 bits of milliseconds

enum Key : std::size_t { kEndpoint, kEntityPath, kKeyName, kKey, kSignature, kTimeout, kKeyCount };
constexpr std::array<std::string_view, kKeyCount> kKeys{"Endpoint",
                                                        "EntityPath",
                                                        "SharedAccessKeyName",
                                                        "SharedAccessKey",
                                                        "SharedAccessSignature",
                                                        "OperationTimeout"};

using Values = std::array<std::optional<std::string_view>, kKeyCount>;

Error bad(std::string_view why) {
    return {errc::malformed_connection_string, fmt::format("connection string: {}", why)};
}

Error unknown_key(std::string_view key) {
    // A long "key" is more likely a secret that lost its name than a misspelt key.
    constexpr std::size_t kLongestShown = 24;
    if (key.size() > kLongestShown) return bad("an unknown key; expected Name=Value;Name=Value");
    const auto near = nearest(key, kKeys);
    return bad(fmt::format("unknown key '{}'{}", printable(key),
                           near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
}

Result<Values> split_values(std::string_view text) {
    Values values;
    for (const auto part : split(text, ';')) {
        if (trim(part).empty()) continue;
        const auto equals = part.find('=');
        if (equals == std::string_view::npos) return bad("every part must be Name=Value");
        const auto key = trim(part.substr(0, equals));
        if (iequals(key, "Authentication")) {
            return bad(
                "'Authentication' is not supported; use SharedAccessKeyName and "
                "SharedAccessKey");
        }
        std::size_t index = 0;
        while (index < kKeyCount && !iequals(kKeys[index], key)) ++index;
        if (index == kKeyCount) return unknown_key(key);
        if (values[index]) return bad(fmt::format("'{}' occurs twice", kKeys[index]));
        values[index] = trim(part.substr(equals + 1));
    }
    return values;
}

bool is_all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// [d.]hh:mm[:ss[.fffffff]] or whole seconds; nullopt for anything else, for 0, and beyond the
/// limit.
std::optional<milliseconds> parse_timeout(std::string_view text) {
    constexpr milliseconds kMax = std::chrono::hours(24 * kMaxTimeoutDays);
    const auto bounded = [&](long long ms) -> std::optional<milliseconds> {
        if (ms <= 0 || milliseconds(ms) > kMax) return std::nullopt;
        return milliseconds(ms);
    };
    const auto number = [](std::string_view digits, long long max) -> std::optional<long long> {
        if (!is_all_digits(digits)) return std::nullopt;
        const auto value = parse_int(digits);
        return value && *value <= max ? value : std::nullopt;
    };
    if (const auto seconds = number(text, kMaxTimeoutDays * 86'400))
        return bounded(*seconds * 1000);

    const auto parts = split(text, ':');
    if (parts.size() != 2 && parts.size() != 3) return std::nullopt;
    std::optional<long long> days = 0;
    auto hours_text = parts[0];
    if (const auto dot = hours_text.find('.'); dot != std::string_view::npos) {
        days = number(hours_text.substr(0, dot), kMaxTimeoutDays);
        hours_text.remove_prefix(dot + 1);
    }
    const auto hours = number(hours_text, 23);
    const auto minutes = number(parts[1], 59);
    std::optional<long long> seconds = 0;
    long long fraction = 0;
    if (parts.size() == 3) {
        const auto dot = parts[2].find('.');
        seconds = number(parts[2].substr(0, dot), 59);
        if (dot != std::string_view::npos) {
            const auto digits = parts[2].substr(dot + 1);
            if (!is_all_digits(digits) || digits.size() > 7) return std::nullopt;
            std::string thousandths(digits.substr(0, 3));
            thousandths.resize(3, '0');
            fraction = *parse_int(thousandths);
        }
    }
    if (!days || !hours || !minutes || !seconds) return std::nullopt;
    return bounded((((*days * 24 + *hours) * 60 + *minutes) * 60 + *seconds) * 1000 + fraction);
}

/// @return what is wrong with the credentials, or "".
std::string check_credentials(const Values& values) {
    const bool has_key = values[kKey] && !values[kKey]->empty();
    const bool has_name = values[kKeyName] && !values[kKeyName]->empty();
    const bool has_signature = values[kSignature] && !values[kSignature]->empty();
    if (has_name && !has_key) return "'SharedAccessKeyName' needs 'SharedAccessKey'";
    if (has_key && !has_name) return "'SharedAccessKey' needs 'SharedAccessKeyName'";
    if (has_signature && has_key) {
        return "'SharedAccessSignature' cannot be combined with 'SharedAccessKeyName' or "
               "'SharedAccessKey'";
    }
    if (has_name && values[kKeyName]->size() > kMaxKeyNameSize) {
        return fmt::format("'SharedAccessKeyName' is longer than {} characters", kMaxKeyNameSize);
    }
    if (has_key && values[kKey]->size() > kMaxKeySize) {
        return fmt::format("'SharedAccessKey' is longer than {} characters", kMaxKeySize);
    }
    if (has_signature && values[kSignature]->size() > kMaxTokenSize) {
        return fmt::format("'SharedAccessSignature' is longer than {} characters", kMaxTokenSize);
    }
    return {};
}

Result<std::string> check_endpoint(const Values& values) {
    if (!values[kEndpoint] || values[kEndpoint]->empty()) {
        return bad("'Endpoint' is missing; expected Endpoint=sb://host/");
    }
    const auto endpoint = *values[kEndpoint];
    if (endpoint.find("://") == std::string_view::npos) {
        return bad("'Endpoint' must be a URI such as sb://host/");
    }
    if (const auto relay = parse_relay_address(endpoint); !relay) {
        return bad(relay.error().with_context("'Endpoint'").message());
    }
    return std::string(endpoint) + (endpoint.ends_with('/') ? "" : "/");
}

}  // namespace

Result<ConnectionString> parse_connection_string(std::string_view text) {
    if (text.size() > kMaxSize) return bad(fmt::format("longer than {} characters", kMaxSize));
    const auto values = split_values(text);
    if (!values) return values.error();
    const auto value_of = [&](Key key) { return std::string((*values)[key].value_or("")); };

    ConnectionString result;
    auto endpoint = check_endpoint(*values);
    if (!endpoint) return endpoint.error();
    result.endpoint = std::move(*endpoint);
    if (const auto why = check_credentials(*values); !why.empty()) return bad(why);
    result.key_name = value_of(kKeyName);
    result.key = value_of(kKey);
    result.signature = value_of(kSignature);

    auto path = (*values)[kEntityPath].value_or("");
    if (path.starts_with('/')) path.remove_prefix(1);
    if (path.ends_with('/')) path.remove_suffix(1);
    if (const auto why = check_entity_path(path); !path.empty() && !why.empty()) {
        return bad(fmt::format("'EntityPath': {}", why));
    }
    result.entity_path = path;

    if ((*values)[kTimeout]) {
        result.operation_timeout = parse_timeout(*(*values)[kTimeout]);
        if (!result.operation_timeout) {
            return bad(
                fmt::format("'OperationTimeout' must be hh:mm:ss or whole seconds, more than 0 "
                            "and at most {} days",
                            kMaxTimeoutDays));
        }
    }
    return result;
}

}  // namespace hpb::hc
