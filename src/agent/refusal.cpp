#include <cstdlib>

#include "agent/relay_dialer.hpp"
#include "base/text.hpp"

namespace hpb::agent {
namespace {

/// Clocks that differ by less have not made a token invalid.
constexpr std::int64_t kTolerableSkewSeconds = 60;
constexpr const char* kRightsAdvice =
    "; check the access rule's rights (Listen for the service agent, Send for the client agent)";

constexpr const char* kTokenAdvice =
    "; it requires client authorization: name an access rule and its key (--rule and "
    "--rule-key-file) instead of --no-auth";

std::string skew_advice(const http::ResponseHead& response, std::int64_t now) {
    const auto theirs = http::parse_date(response.headers.get("Date"));
    if (!theirs) return "";
    const std::int64_t skew = now - *theirs;
    if (std::abs(skew) <= kTolerableSkewSeconds) return "";
    return "; this machine's clock is " + std::to_string(std::abs(skew)) + " s " +
           (skew > 0 ? "ahead of" : "behind") + " the relay's: check the clock";
}

// The relay's own words tell a missing listener, which may come, from a missing entity.
bool blames_listeners(const std::string& reason) {
    const std::string text = to_lower(reason);
    return text.find("listeners connected") != std::string::npos ||
           text.find("connected listeners") != std::string::npos;
}

// Azure Relay's words for a rule that lacks a right, with 401 like a token that is not valid.
bool blames_rights(const std::string& reason) {
    return to_lower(reason).find("claim(s) are required") != std::string::npos;
}

bool wants_token(const std::string& reason) {
    return to_lower(reason).find("missingtoken") != std::string::npos;
}

bool blames_affinity(const std::string& reason) {
    return to_lower(reason).find("allowedlisteners") != std::string::npos;
}

/// What to do about a token that is not accepted, by the relay's words for it.
std::string token_advice(const std::string& reason) {
    const std::string text = to_lower(reason);
    const auto says = [&](const char* word) { return text.find(word) != std::string::npos; };
    if (says("expired")) {
        return "; check this machine's clock; a ready-made signature (SharedAccessSignature) must "
               "be "
               "regenerated";
    }
    if (says("audience")) {
        return "; use a name of the relay that it accepts in tokens (HostNames, PublicAddress); a "
               "ready-made signature must be for this name and hybrid connection";
    }
    return "; check the access rule's name and key";
}

}  // namespace

Error explain_refusal(const http::ResponseHead& response, const std::string& relay,
                      const std::string& purpose, std::int64_t now) {
    const std::string reason = printable(response.reason);
    const std::string text = "relay " + relay + " refused " + purpose + ": " +
                             std::to_string(response.status) + (reason.empty() ? "" : " " + reason);
    switch (response.status) {
        case 401:
            if (blames_rights(reason)) return {relay_errc::not_authorised, text + kRightsAdvice};
            if (wants_token(reason)) return {relay_errc::not_authorised, text + kTokenAdvice};
            return {relay_errc::not_authorised,
                    text + token_advice(reason) + skew_advice(response, now)};
        case 403:
            return {relay_errc::not_authorised, text + kRightsAdvice};
        case 404:
            if (blames_affinity(reason)) return {relay_errc::no_such_listener, text};
            if (blames_listeners(reason)) return {relay_errc::refused, text};
            return {relay_errc::no_such_entity,
                    text + "; check the hybrid connection's name, or create it at the relay"};
        case 429:
        case 503:
            return {relay_errc::throttled, text};
        default:
            return {relay_errc::refused, text};
    }
}

}  // namespace hpb::agent
