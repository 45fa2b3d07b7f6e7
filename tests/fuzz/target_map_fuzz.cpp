// Metadata gives at least one reachable-looking target or an error; a written target reads the
// same.
#include "hc/target_map.hpp"

#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/bytes.hpp"

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = hpb::as_text(std::as_bytes(std::span(data, size)));
    if (const auto map = hpb::hc::parse_user_metadata(text, "hyco")) {
        require(!map->empty());
        for (const auto& [key, target] : *map) {
            require(target.port != 0 && !target.host.empty());
            require(hpb::hc::parse_target("tcp:" + target.to_string(), "").value() == target);
        }
    }
    if (const auto target = hpb::hc::parse_target(text, "hyco")) require(target->port != 0);
    return 0;
}
