#include <fmt/format.h>

#include "base/text.hpp"
#include "config/relay_access.hpp"
#include "config/setting_reader.hpp"
#include "hc/relay_uri.hpp"
#include "hc/sas_token.hpp"
#include "hpb/start.hpp"

namespace hpb::app {

std::string make_token(const CommandLine& line, const config::SourceInputs& inputs,
                       std::int64_t now, config::Diagnostics& diagnostics) {
    const auto source = config::load_layers(inputs, diagnostics);
    config::SettingReader reader(source, diagnostics);
    const auto relay = config::read_relay_access(reader, inputs, config::AccessRole::other);
    const std::string entity = line.token_entity.empty() ? relay.entity_path : line.token_entity;
    if (!entity.empty()) {
        if (const auto why = hc::check_entity_path(entity); !why.empty()) {
            diagnostics.errors.push_back({"command line", "--connection",
                                          fmt::format("'{}': {}", printable(entity, 80), why), ""});
        }
    }
    if (!relay.access.signature.empty()) {
        diagnostics.errors.push_back({"connection string", "", "it holds a token and no key",
                                      "use that token, or give --rule and --rule-key-file"});
    }
    if (!diagnostics.ok()) return {};
    return hc::make_sas_token(hc::audience_for(relay.access.address.host, entity),
                              relay.access.key_name, relay.access.key,
                              now + line.token_ttl.count());
}

}  // namespace hpb::app
