// hc: Azure Relay Hybrid Connections as messages, tokens and addresses (docs/protocol.md, "Relay"),
// sans-IO. Not here: sockets, who may do what (relay/access_rules.hpp). Stateless; safe from any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hpb::hc {

enum class errc {
    malformed_token = 1,
    token_expiry_out_of_range,
    invalid_signature,
    invalid_audience,
    expired_token,
    malformed_address,
    malformed_message,
    malformed_connection_string,
    malformed_metadata,
    malformed_runtime_information,
};
[[nodiscard]] boost::system::error_code make_error_code(errc e);

/// A shared access signature, taken apart and not yet verified (docs/protocol.md, "SAS tokens").
struct SasToken {
    std::string resource;   ///< `sr` as sent, still percent-encoded: the signature covers this text
    std::string signature;  ///< `sig`, percent-decoded (base64)
    std::string expiry_text;  ///< `se` as sent
    std::int64_t expiry = 0;  ///< `se`, Unix seconds
    std::string key_name;     ///< `skn`, percent-decoded
};

/// Key names and keys are at most this long in Azure Relay.
inline constexpr std::size_t kMaxKeyNameSize = 256;
inline constexpr std::size_t kMaxKeySize = 256;
/// Longer tokens are refused unread.
inline constexpr std::size_t kMaxTokenSize = 4096;
/// Later expiries are refused, so that no sum with a time leaves the range of numbers. Far enough
/// for milliseconds where seconds were meant.
inline constexpr std::int64_t kMaxTokenExpiry = 1'000'000'000'000'000;
/// What a token begins with.
inline constexpr std::string_view kTokenScheme = "SharedAccessSignature";

/// Makes a token as the .NET client does. `key` is used as text, never base64-decoded.
/// @param resource  the audience URI, not encoded; see audience_for().
[[nodiscard]] std::string make_sas_token(std::string_view resource, std::string_view key_name,
                                         std::string_view key, std::int64_t expiry);

/// The audience that .NET clients sign: http, no port, no query, ending in '/'.
/// @param path  the entity, decoded; "" for the namespace.
[[nodiscard]] std::string audience_for(std::string_view host, std::string_view path);

[[nodiscard]] Result<SasToken> parse_sas_token(std::string_view text);

/// Constant-time. True if `key` signed the token.
[[nodiscard]] bool is_signed_by(const SasToken& token, std::string_view key);

/// What a token is valid for: scheme, port, query and fragment do not count.
struct Audience {
    std::string host;  ///< lower case
    std::string
        path;  ///< percent-decoded once more, without '/' at either end; "" is the namespace
};
[[nodiscard]] Result<Audience> parse_audience(const SasToken& token);

/// True if `audience_path` is `request_path` or one of its parents, compared by segment and without
/// case ("" is everybody's parent; "hycoxyz" is not below "hyco").
[[nodiscard]] bool covers(std::string_view audience_path, std::string_view request_path);

}  // namespace hpb::hc

template <>
struct boost::system::is_error_code_enum<hpb::hc::errc> : std::true_type {};
