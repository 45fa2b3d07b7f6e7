#pragma once

#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "config/agent_options.hpp"
#include "config/setting_reader.hpp"

namespace hpb::config {

/// True for localhost, what is below it, and loopback addresses.
[[nodiscard]] bool is_loopback(std::string_view host);

/// `http://[user[:password]@]host[:port]`, the scheme may be left out; user and password
/// percent-decoded. Errors never repeat the text: it may hold a password.
[[nodiscard]] Result<ProxyOptions> parse_proxy(std::string_view text);

/// True if an entry of a NO_PROXY list covers the relay. Entries are separated by commas or spaces:
/// `*`, `name` (and what is below it), `.suffix` and `*.suffix` (only what is below), an IP
/// address, `address/prefix`, each but the first with `:port` after it if only that port is meant.
[[nodiscard]] bool no_proxy_covers(std::string_view list, const hc::RelayAddress& relay);

/// The proxy for `relay`: the configured one (`none` forbids any), else HTTPS_PROXY unless NO_PROXY
/// or a loopback address excludes the relay.
[[nodiscard]] ProxyOptions choose_proxy(SettingReader& reader, const SourceInputs& inputs,
                                        const hc::RelayAddress& relay);

}  // namespace hpb::config
