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

bool host_is_accepted(const AccessRequest& request, std::string_view host) {
    if (iequals(host, request.host)) return true;
    return std::any_of(request.host_names.begin(), request.host_names.end(),
                       [&](const std::string& name) { return iequals(name, host); });
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
    const auto token = hc::parse_sas_token(request.token);
    if (!token) return unauthorized("MalformedToken: The token is malformed");
    const auto audience = hc::parse_audience(*token);
    if (!audience || !host_is_accepted(request, audience->host) ||
        !hc::covers(audience->path, request.request_path)) {
        return unauthorized("InvalidAudience: The token has a wrong audience");
    }
    const auto* rule = find_signer(*token, entity_rules);
    if (rule == nullptr) rule = find_signer(*token, namespace_rules);
    if (rule == nullptr)
        return unauthorized("InvalidSignature: The token has an invalid signature");
    if (token->expiry < request.now - request.skew) {
        return unauthorized("ExpiredToken: The token is expired since " +
                            std::to_string(request.now - token->expiry) + " s");
    }
    if (!allows(*rule, request.right)) {
        const char* name = request.right == Right::listen ? "Listen" : "Send";
        return Refusal{
            403, std::string("Unauthorized: The token's rule does not have the right ") + name};
    }
    return Grant{.expiry = token->expiry};
}

}  // namespace hpb::relay
