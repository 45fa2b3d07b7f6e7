// Tokens and the request targets that carry them: parsed or refused, and what holds of each result.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/bytes.hpp"
#include "hc/percent.hpp"
#include "hc/relay_uri.hpp"
#include "hc/sas_token.hpp"

namespace {

using namespace hpb;

void require(bool condition) {
    if (!condition) std::abort();
}

void check_token(std::string_view text) {
    const auto token = hc::parse_sas_token(text);
    if (!token) return;
    require(token->expiry >= 0 && token->key_name.size() <= hc::kMaxKeyNameSize);
    require(!hc::is_signed_by(*token, "a key that signed nothing"));
    if (const auto audience = hc::parse_audience(*token)) {
        require(!audience->host.empty());
        require(!audience->path.starts_with('/') && !audience->path.ends_with('/'));
        require(hc::covers(audience->path, audience->path) && hc::covers("", audience->path));
        require(hc::covers(audience->path, audience->path + "/below"));
    }
}

void check_target(std::string_view text) {
    const auto target = hc::split_target(text);
    const auto rest = hc::strip_relay_parameters(target.query);
    require(rest.size() <= target.query.size());
    require(hc::strip_relay_parameters(rest) == rest);
    require(!hc::query_parameter(rest, "sb-hc-token") && !hc::query_parameter(rest, "sb-hc-id"));
    if (const auto entity = hc::entity_path(target.path)) {
        require(!entity->starts_with('/') && !entity->ends_with('/'));
        const auto made = hc::make_target(*entity, "connect", "id");
        require(hc::entity_path(hc::split_target(made).path) == entity);
        require(std::none_of(made.begin(), made.end(), [](char c) { return c <= ' ' && c >= 0; }));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text(std::as_bytes(std::span(data, size)));
    check_token(text);
    check_target(text);
    require(hc::percent_decode(hc::form_encode(text), hc::Plus::is_space) == text);
    if (size > 0 && size < 200) {
        const auto made = hc::parse_sas_token(hc::make_sas_token(text, "name", "key", 1));
        require(made && hc::is_signed_by(*made, "key"));
    }
    return 0;
}
