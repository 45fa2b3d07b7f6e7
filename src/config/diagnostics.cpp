#include "config/diagnostics.hpp"

namespace hpb::config {

std::string Problem::to_string() const {
    std::string out = source;
    for (const std::string* part : {&path, &what}) {
        if (part->empty()) continue;
        if (!out.empty()) out += ": ";
        out += *part;
    }
    if (!remedy.empty()) out += "; " + remedy;
    return out;
}

}  // namespace hpb::config
