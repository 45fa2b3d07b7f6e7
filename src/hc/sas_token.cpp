#include "hc/sas_token.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error_category.hpp"
#include "base/text.hpp"
#include "crypto/crypto.hpp"
#include "hc/percent.hpp"
#include "hc/relay_uri.hpp"

namespace hpb::hc {
namespace {

std::string sign(std::string_view encoded_resource, std::string_view expiry, std::string_view key) {
    const auto digest = crypto::hmac_sha256(key, fmt::format("{}\n{}", encoded_resource, expiry));
    return crypto::base64_encode(digest);
}

Error malformed_token(std::string_view why) {
    return {errc::malformed_token, fmt::format("not a shared access signature: {}", why)};
}

/// The four fields as sent, or why they are not there.
struct RawFields {
    std::array<std::optional<std::string_view>, 4> values;  // as in kNames
    static constexpr std::array<std::string_view, 4> kNames{"sr", "sig", "se", "skn"};
};

Result<RawFields> split_fields(std::string_view text) {
    RawFields fields;
    for (const auto piece : split(text, '&')) {
        const auto equals = piece.find('=');
        if (equals == std::string_view::npos) continue;
        for (std::size_t i = 0; i < fields.values.size(); ++i) {
            const auto name = RawFields::kNames[i];
            if (!iequals(piece.substr(0, equals), name)) continue;
            if (fields.values[i]) return malformed_token(fmt::format("'{}' occurs twice", name));
            fields.values[i] = piece.substr(equals + 1);
        }
    }
    for (std::size_t i = 0; i < fields.values.size(); ++i) {
        if (!fields.values[i] || fields.values[i]->empty()) {
            return malformed_token(fmt::format("'{}' is missing", RawFields::kNames[i]));
        }
    }
    return fields;
}

std::string_view trim_slashes(std::string_view text) {
    while (text.starts_with('/')) text.remove_prefix(1);
    while (text.ends_with('/')) text.remove_suffix(1);
    return text;
}

Error bad_audience(std::string_view why) {
    return {errc::invalid_audience, fmt::format("the token's audience {}", why)};
}

/// Host of `authority`, lower case, without user information, port and brackets; "" if it has none.
std::string host_of(std::string_view authority) {
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        authority.remove_prefix(at + 1);
    }
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == std::string_view::npos) return {};
        return to_lower(authority.substr(1, end - 1));
    }
    return to_lower(authority.substr(0, authority.find(':')));
}

}  // namespace

boost::system::error_code make_error_code(errc e) {
    static const ErrorCategory category{"hc", [](int value) -> const char* {
                                            switch (static_cast<errc>(value)) {
                                                case errc::malformed_token:
                                                    return "malformed token";
                                                case errc::token_expiry_out_of_range:
                                                    return "the token's expiry is out of range";
                                                case errc::invalid_signature:
                                                    return "the token has an invalid signature";
                                                case errc::invalid_audience:
                                                    return "the token is for another audience";
                                                case errc::expired_token:
                                                    return "the token has expired";
                                                case errc::malformed_address:
                                                    return "malformed address";
                                                case errc::malformed_message:
                                                    return "malformed control message";
                                                case errc::malformed_connection_string:
                                                    return "malformed connection string";
                                                case errc::malformed_metadata:
                                                    return "malformed user metadata";
                                                case errc::malformed_runtime_information:
                                                    return "malformed runtime information";
                                            }
                                            return "unknown relay error";
                                        }};
    return {static_cast<int>(e), category};
}

std::string make_sas_token(std::string_view resource, std::string_view key_name,
                           std::string_view key, std::int64_t expiry) {
    const auto encoded = form_encode(resource);
    const auto expiry_text = std::to_string(expiry);
    return fmt::format("{} sr={}&sig={}&se={}&skn={}", kTokenScheme, encoded,
                       form_encode(sign(encoded, expiry_text, key)), expiry_text,
                       form_encode(key_name));
}

std::string audience_for(std::string_view host, std::string_view path) {
    const bool is_ipv6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
    const auto entity = escape_path(trim_slashes(path));
    return fmt::format("http://{}{}{}/{}{}", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", entity,
                       entity.empty() ? "" : "/");
}

Result<SasToken> parse_sas_token(std::string_view text) {
    if (text.size() > kMaxTokenSize) {
        return malformed_token(fmt::format("it is longer than {} characters", kMaxTokenSize));
    }
    text = trim(text);
    if (!istarts_with(text, kTokenScheme)) {
        return malformed_token("it does not begin with 'SharedAccessSignature '");
    }
    const auto space = kTokenScheme.size();
    if (space < text.size() && (text[space] == '+' || text[space] == '%')) {
        return malformed_token("it is still URL-encoded, or was encoded twice");
    }
    if (space == text.size() || (text[space] != ' ' && text[space] != '\t')) {
        return malformed_token("no space follows 'SharedAccessSignature'");
    }
    const auto fields = split_fields(trim(text.substr(space)));
    if (!fields) return fields.error();
    const auto& [resource, signature, expiry, key_name] = fields->values;

    SasToken token;
    token.resource = *resource;
    token.expiry_text = *expiry;
    if (expiry->find_first_not_of("0123456789") != std::string_view::npos) {
        return malformed_token("'se' is not a number of seconds");
    }
    const auto seconds = parse_int(*expiry);
    if (!seconds || *seconds > kMaxTokenExpiry) {
        return Error{errc::token_expiry_out_of_range,
                     "the token's expiry 'se' is out of range: it is the Unix time in seconds"};
    }
    token.expiry = *seconds;
    // Base64 has no space: a '+' that the client forgot to escape is itself, and so is a space that
    // such a '+' became in a query.
    auto decoded_signature = percent_decode(*signature, Plus::literal);
    auto decoded_name = percent_decode(*key_name, Plus::is_space);
    if (!decoded_signature) return malformed_token("'sig' has a broken escape");
    if (!decoded_name) return malformed_token("'skn' has a broken escape");
    if (decoded_name->size() > kMaxKeyNameSize) return malformed_token("'skn' is too long");
    std::replace(decoded_signature->begin(), decoded_signature->end(), ' ', '+');
    token.signature = std::move(*decoded_signature);
    token.key_name = std::move(*decoded_name);
    return token;
}

bool is_signed_by(const SasToken& token, std::string_view key) {
    return crypto::constant_time_equal(sign(token.resource, token.expiry_text, key),
                                       token.signature);
}

Result<Audience> parse_audience(const SasToken& token) {
    const auto decoded = percent_decode(token.resource, Plus::is_space);
    if (!decoded) return bad_audience("has a broken escape");
    std::string_view uri = *decoded;
    const auto scheme_end = uri.find("://");
    if (scheme_end == std::string_view::npos) return bad_audience("is not an absolute URI");
    constexpr std::array<std::string_view, 5> kSchemes{"http", "https", "sb", "wss", "ws"};
    const auto scheme = uri.substr(0, scheme_end);
    if (std::none_of(kSchemes.begin(), kSchemes.end(),
                     [&](std::string_view known) { return iequals(known, scheme); })) {
        return bad_audience("has an unknown scheme");
    }
    uri.remove_prefix(scheme_end + 3);
    uri = uri.substr(0, uri.find_first_of("?#"));
    const auto path_start = std::min(uri.find('/'), uri.size());

    Audience audience;
    audience.host = host_of(uri.substr(0, path_start));
    if (audience.host.empty()) return bad_audience("names no host");
    const auto path = percent_decode(uri.substr(path_start), Plus::literal);
    if (!path) return bad_audience("has a broken escape in its path");
    audience.path = trim_slashes(*path);
    return audience;
}

bool covers(std::string_view audience_path, std::string_view request_path) {
    const auto audience = trim_slashes(audience_path);
    const auto request = trim_slashes(request_path);
    if (audience.empty()) return true;
    if (!istarts_with(request, audience)) return false;
    return request.size() == audience.size() || request[audience.size()] == '/';
}

}  // namespace hpb::hc
