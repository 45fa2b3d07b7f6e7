#include "agent/service/served_entity.hpp"

namespace hpb::agent::service {

std::string ServedEntity::known_keys() const {
    std::string keys;
    for (const auto& [key, _] : mappings) {
        if (keys.size() > 200) return keys + ", …";
        keys += (keys.empty() ? "" : ", ") + std::to_string(key);
    }
    return keys;
}

}  // namespace hpb::agent::service
