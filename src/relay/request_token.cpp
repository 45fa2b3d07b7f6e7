#include "relay/request_token.hpp"

#include "base/text.hpp"
#include "hc/relay_uri.hpp"
#include "hc/sas_token.hpp"

namespace hpb::relay {
namespace {

std::string_view first_value(const http::Headers& headers, std::string_view name) {
    for (const auto& field : headers.all()) {
        if (iequals(field.name, name) && !trim(field.value).empty()) return field.value;
    }
    return {};
}

}  // namespace

RequestToken find_token(const http::Headers& headers, std::string_view query) {
    using Place = RequestToken::Place;
    if (auto token = hc::query_parameter(query, "sb-hc-token", hc::Plus::is_space);
        token && !trim(*token).empty()) {
        return {std::move(*token), Place::query};
    }
    if (const auto token = first_value(headers, "ServiceBusAuthorization"); !token.empty()) {
        return {std::string(token), Place::service_bus_header};
    }
    if (const auto token = first_value(headers, "Authorization"); !token.empty()) {
        return {std::string(token), Place::authorization};
    }
    return {};
}

bool hides_authorization(const RequestToken& token, bool evaluated) {
    if (token.place != RequestToken::Place::authorization) return false;
    // Where nobody looks at tokens, the header may be the listener's; the relay's own never is.
    return evaluated || istarts_with(trim(token.text), hc::kTokenScheme);
}

}  // namespace hpb::relay
