// A connection string is read or refused, and what is read keeps its promises.
#include "hc/connection_string.hpp"

#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/bytes.hpp"
#include "hc/relay_uri.hpp"

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = hpb::as_text(std::as_bytes(std::span(data, size)));
    const auto parsed = hpb::hc::parse_connection_string(text);
    if (!parsed) {
        const auto message = parsed.error().message();
        require(message.find('\n') == std::string::npos && message.size() < 1000);
    } else {
        require(parsed->endpoint.ends_with('/') &&
                hpb::hc::parse_relay_address(parsed->endpoint).has_value());
        require(parsed->key.empty() == parsed->key_name.empty());
        require(parsed->key.empty() || parsed->signature.empty());
        require(!parsed->operation_timeout || parsed->operation_timeout->count() > 0);
        require(parsed->entity_path.empty() ||
                hpb::hc::check_entity_path(parsed->entity_path).empty());
    }
    if (const auto relay = hpb::hc::parse_relay_address(text)) {
        require(relay->port != 0 && !relay->host.empty());
        auto with_scheme = (relay->secure ? "https://" : "http://") + relay->authority();
        const auto again = hpb::hc::parse_relay_address(with_scheme);
        require(again && again->host == relay->host && again->port == relay->port);
    }
    return 0;
}
