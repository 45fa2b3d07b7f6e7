// Any text parses or is refused; what was parsed can be written, and reads the same again.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/bytes.hpp"
#include "hc/control_message.hpp"
#include "hc/relay_uri.hpp"
#include "hc/tracking_id.hpp"
#include "hc/utf8.hpp"

namespace {

using namespace hpb;

void require(bool condition) {
    if (!condition) std::abort();
}

void check(const hc::AcceptMessage& message) {
    const auto url = hc::parse_rendezvous_url(message.address);
    if (url) require(url->target.starts_with('/'));
    const auto text = hc::serialize(message);
    if (!text) return;
    require(text->size() <= hc::kMaxControlMessageSize && hc::is_utf8(*text));
    const auto again = hc::parse_control_message(*text);
    require(again && std::holds_alternative<hc::AcceptMessage>(*again));
    const auto& copy = std::get<hc::AcceptMessage>(*again);
    require(copy.remote_port == message.remote_port);
    require(hc::serialize(copy).value() == *text);
}

void check(const hc::RequestMessage& message) {
    require(hc::starts_with_guid(hc::make_tracking_id(message.id)));
}

void check(const hc::RenewTokenMessage& message) {
    require(hc::parse_control_message(hc::serialize(message)).has_value() ||
            message.token.size() * 6 > hc::kMaxControlMessageSize);
}

void check(const hc::ResponseMessage& message) {
    require(message.status_code >= 100 && message.status_code <= 999);
    require(hc::is_utf8(hc::serialize(message)));
}

void check(const hc::UnknownMessage& message) {
    require(message.key.size() <= 64);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text(std::as_bytes(std::span(data, size)));
    if (const auto message = hc::parse_control_message(text)) {
        std::visit([](const auto& known) { check(known); }, *message);
    }
    require(hc::is_utf8(hc::to_clean_utf8(text)));
    return 0;
}
