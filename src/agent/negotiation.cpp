#include "agent/negotiation.hpp"

#include <algorithm>
#include <vector>

#include "agent/relay_dialer.hpp"
#include "base/text.hpp"

namespace hpb::agent {
namespace {

constexpr std::string_view kFamily = "hpb.";

std::vector<std::string> offers(const hc::AcceptMessage& accept) {
    std::vector<std::string> all;
    for (const auto& [name, value] : accept.connect_headers) {
        if (!iequals(name, "Sec-WebSocket-Protocol")) continue;
        for (const auto item : split(value, ',')) {
            if (!trim(item).empty()) all.emplace_back(trim(item));
        }
    }
    return all;
}

bool contains(const std::vector<std::string>& all, std::string_view wanted) {
    return std::find(all.begin(), all.end(), wanted) != all.end();
}

// For people: what a sender that offers nothing speaks has always been v1.
std::string spoken(const std::vector<std::string>& offered) {
    if (offered.empty()) return "no subprotocol, which means hpb.v1";
    std::string names;
    for (const auto& name : offered)
        names += (names.empty() ? "only " : ", ") + printable(name, 40);
    return names.substr(0, 200);
}

}  // namespace

bool offers_were_dropped(const hc::AcceptMessage& accept) {
    if (!offers(accept).empty()) return false;
    const auto& headers = accept.connect_headers;
    return std::any_of(headers.begin(), headers.end(), [](const auto& header) {
        return iequals(header.first, "Relay-User-Agent") && header.second.starts_with("hpb/") &&
               header.second.find(" (offers ") != std::string::npos;
    });
}

Result<ChannelChoice> choose_protocol(const hc::AcceptMessage& accept, config::Protocol pin) {
    const auto offered = offers(accept);
    if (contains(offered, kProtocolV2) && pin != config::Protocol::v1)
        return ChannelChoice{.v2 = true, .subprotocol = kProtocolV2};
    if (pin == config::Protocol::v2) {
        return Error(errc::not_permitted, "the client agent offers " + spoken(offered) +
                                              ", and this agent's Protocol is v2 (hpb.v2)");
    }
    if (offered.empty() || contains(offered, kProtocolV1))
        return ChannelChoice{.v2 = false, .subprotocol = offered.empty() ? "" : kProtocolV1};
    const bool ours = std::all_of(offered.begin(), offered.end(),
                                  [](const auto& name) { return name.starts_with(kFamily); });
    if (ours) {
        return Error(errc::not_permitted,
                     "the client agent offers " + spoken(offered) + ", and this agent speaks " +
                         (pin == config::Protocol::v1 ? "hpb.v1 (Protocol)" : "hpb.v1 and hpb.v2"));
    }
    // A subprotocol of somebody else's: listeners agree to the sender's first choice, as .NET's
    // do.
    return ChannelChoice{.v2 = false, .subprotocol = offered.front()};
}

}  // namespace hpb::agent
