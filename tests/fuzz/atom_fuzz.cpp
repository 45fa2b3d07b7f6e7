// Any document is read or refused; what was read survives being written.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/bytes.hpp"
#include "hc/iso_time.hpp"
#include "hc/runtime_info.hpp"

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hpb::hc;
    const auto text = hpb::as_text(std::as_bytes(std::span(data, size)));
    if (const auto info = parse_atom_entry(text)) {
        require(info->listener_count >= 0);
        const auto again = parse_atom_entry(to_atom_entry(*info, "relay.example", "hyco"));
        require(again && again->listener_count == info->listener_count);
        require(again->requires_client_authorization == info->requires_client_authorization);
        require(again->has_user_metadata == info->has_user_metadata);
    }
    require(parse_error_document(text).size() <= 1024);
    // Whatever text goes into a document, the document stays one.
    require(parse_atom_entry(to_atom_entry({0, 0, true, true, std::string(text), 3}, text, text))
                .value()
                .listener_count == 3);
    if (const auto time = parse_iso_time(text); time && *time > 0 && *time < 253'402'300'800) {
        require(parse_iso_time(format_iso_time(*time)) == time);
    }
    return 0;
}
