#include "relay/access.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/text.hpp"

namespace hpb::relay {
namespace {

Refusal unauthorized(std::string sentence) {
    return {401, std::move(sentence)};
}

/// @return the rule of this name whose primary or secondary key signed the token.
const config::AccessRule* find_signer(const hc::SasToken& token,
                                      std::span<const config::AccessRule> rules) {
    for (const auto& rule : rules) {
        if (!iequals(rule.name, token.key_name)) continue;
        if (hc::is_signed_by(token, rule.key)) return &rule;
        if (!rule.secondary_key.empty() && hc::is_signed_by(token, rule.secondary_key))
            return &rule;
    }
    return nullptr;
}

bool allows(const config::AccessRule& rule, Right right) {
    switch (right) {
        case Right::listen:
            return rule.manage || rule.listen;
        case Right::send:
            return rule.manage || rule.send;
        case Right::any:
            return rule.manage || rule.listen || rule.send;
    }
    return false;
}

// Anybody can put anything into a Host header: where the relay's names are configured, it does not
// count, so that a token for another relay with the same key is good for nothing here.
bool host_is_accepted(const AccessRequest& request, std::string_view host) {
    if (request.host_names.empty()) return iequals(host, request.host);
    return std::any_of(request.host_names.begin(), request.host_names.end(),
                       [&](const std::string& name) { return iequals(name, host); });
}

bool is_base64url(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '=';
    });
}

/// A JSON Web Token, bare or behind "Bearer ": what Microsoft Entra ID issues.
bool is_web_token(std::string_view text) {
    constexpr std::string_view kBearer = "Bearer ";
    text = trim(text);
    if (istarts_with(text, kBearer)) text = trim(text.substr(kBearer.size()));
    // The base64 of '{"', with which every header begins.
    if (!text.starts_with("eyJ") || text.size() > kMaxWebTokenSize) return false;
    const auto parts = split(text, '.');
    // The signature is empty in an unsigned one; an encrypted one has five parts.
    return parts.size() >= 3 && parts.size() <= 5 && is_base64url(parts[0]) &&
           is_base64url(parts[1]);
}

Refusal refuse_token(const Error& error) {
    if (error.code() == make_error_code(hc::errc::token_expiry_out_of_range)) {
        return {400, "MalformedToken: " + error.message()};
    }
    return unauthorized("MalformedToken: The token is " + error.message());
}

Refusal refuse_audience(const AccessRequest& request, const Result<hc::Audience>& audience) {
    const std::string begin = "InvalidAudience: ";
    if (!audience) return unauthorized(begin + audience.error().message());
    if (!host_is_accepted(request, audience->host)) {
        return unauthorized(begin + "The token is for the host '" + printable(audience->host, 80) +
                            "', which is not a name of this relay");
    }
    return unauthorized(begin + "The token is for '" + printable(audience->path, 80) +
                        "', not for '" + printable(request.request_path, 80) + "'");
}

std::string_view name_of(Right right) {
    switch (right) {
        case Right::listen:
            return "Listen";
        case Right::send:
            return "Send";
        case Right::any:
            break;
    }
    return "Manage";
}

}  // namespace

void throw_exception_from_error(const Refusal& refusal, const boost::source_location&) {
    throw std::logic_error("unchecked refusal: " + refusal.sentence);
}

Checked<Grant> check_access(const AccessRequest& request,
                            std::span<const config::AccessRule> entity_rules,
                            std::span<const config::AccessRule> namespace_rules) {
    if (request.token.empty()) {
        return unauthorized(
            "MissingToken: The request has no token; send one in the ServiceBusAuthorization "
            "header");
    }
    if (is_web_token(request.token)) {
        return unauthorized(
            "UnsupportedToken: a Microsoft Entra ID token; this relay accepts shared access "
            "signatures");
    }
    const auto token = hc::parse_sas_token(request.token);
    if (!token) return refuse_token(token.error());
    const auto audience = hc::parse_audience(*token);
    if (!audience || !host_is_accepted(request, audience->host) ||
        !hc::covers(audience->path, request.request_path)) {
        return refuse_audience(request, audience);
    }
    const auto* rule = find_signer(*token, entity_rules);
    if (rule == nullptr) rule = find_signer(*token, namespace_rules);
    if (rule == nullptr)
        return unauthorized("InvalidSignature: The token has an invalid signature");
    if (token->expiry < request.now - request.skew) {
        return unauthorized("ExpiredToken: The token expired " +
                            std::to_string(request.now - token->expiry) + " s ago");
    }
    if (!allows(*rule, request.right)) {
        // 401 and Azure Relay's words: Microsoft's SDK takes 403 for transient and tries for ever.
        return unauthorized("Unauthorized: '" + std::string(name_of(request.right)) +
                            "' claim(s) are required to perform this operation");
    }
    return Grant{.expiry = token->expiry, .rule = rule->name};
}

}  // namespace hpb::relay
