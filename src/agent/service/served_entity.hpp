#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "agent/mapping_notes.hpp"
#include "agent/service/target_ends.hpp"
#include "agent/service/target_places.hpp"
#include "hc/target_map.hpp"

namespace hpb::agent::service {

/// State shared by the channels of one entity, on all threads. Immutable except notes, ends and
/// places, which are thread-safe.
struct ServedEntity {
    struct Mapping {
        hc::TargetAddress target;
        std::shared_ptr<MappingNotes> notes;
        bool named_here = true;  ///< in the configuration, not by UserMetadata alone
        std::shared_ptr<TargetEnds> ends = std::make_shared<TargetEnds>();
    };
    std::string path;
    std::map<std::int32_t, Mapping> mappings;
    std::shared_ptr<MappingNotes> notes;   ///< for lines that concern no mapping
    std::shared_ptr<TargetPlaces> places;  ///< of its target connections

    /// The configuration keys, for a log line.
    [[nodiscard]] std::string known_keys() const;
};

}  // namespace hpb::agent::service
