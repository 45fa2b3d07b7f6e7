// Configuration: a file's text through every reader, and the same bytes as a flag's or a variable's
// value.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/agent_config.hpp"
#include "config/json_reader.hpp"
#include "config/known_keys.hpp"
#include "config/log_config.hpp"
#include "config/proxy.hpp"
#include "config/relay_config.hpp"

namespace {

using namespace hpb::config;

void read_as_file(std::string_view text) {
    Diagnostics diagnostics;
    LayeredSource source;
    // Names of files in the text are looked up below a folder that is not there.
    source.add_json(text, "fuzz.json", "/nonexistent", diagnostics);
    if (!diagnostics.ok()) return;
    const SourceInputs inputs;
    check_known_keys(source, diagnostics);
    (void)read_client_options(source, inputs, {}, diagnostics);
    (void)read_service_options(source, inputs, {}, diagnostics);
    (void)read_relay_options(source, {}, diagnostics);
    (void)read_log_options(source, {}, diagnostics);
    (void)not_carried_over(source);
    for (const auto& problem : diagnostics.errors) {
        if (problem.to_string().empty()) std::abort();  // an error has to say something
    }
}

void read_as_value(std::string_view text) {
    (void)parse_mapping_flag(text);
    (void)parse_target_flag(text);
    (void)parse_listen_address(text);
    (void)parse_proxy(text);
    (void)parse_level(text);
    (void)is_setting_argument(text);
    (void)no_proxy_covers(text, {"relay.example.com", 443, true});
    (void)no_proxy_covers(text, {"192.0.2.1", 443, true});
    AllowList list;
    // What was accepted without a warning admits somebody, unless it was blank.
    const auto added = list.add(text);
    if (added && added->empty() && list.admits_nobody() && !hpb::trim(text).empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    read_as_file(text);
    if (size <= 256) read_as_value(text);
    return 0;
}
