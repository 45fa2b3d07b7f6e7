#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "hc/percent.hpp"

namespace hpb::hc {

/// Where a relay is: one namespace.
struct RelayAddress {
    std::string host;  ///< DNS name or IP literal, an IPv6 one without brackets
    std::uint16_t port = 443;
    bool secure = true;  ///< false only for ws:// and http://, which have to be asked for by name

    /// For the Host header and log lines: the port only if it is not the default; IPv6 in brackets.
    [[nodiscard]] std::string authority() const;
};

/// Accepts `host`, `host:port`, `[v6]:port` and `sb|https|wss|ws|http://host[:port][/]`.
/// A path other than "/" is an error that says where the entity belongs.
[[nodiscard]] Result<RelayAddress> parse_relay_address(std::string_view text);

/// Makes `address` one that is dialled with TLS, as `known` is. The port of a ws:// address without
/// one becomes that of `known`.
/// @return false if it is not, and is another host than `known`: then it stays as it is.
[[nodiscard]] bool protect(RelayAddress& address, const RelayAddress& known);

/// An absolute wss:// or ws:// URL as a rendezvous `address` carries it.
struct RendezvousUrl {
    RelayAddress relay;
    std::string target;  ///< path and query, byte for byte, for the request line
};
[[nodiscard]] Result<RendezvousUrl> parse_rendezvous_url(std::string_view url);

/// A request target taken apart. `path` and `query` are as received, still percent-encoded.
struct Target {
    std::string path;
    std::string query;  ///< without '?'; see has_query
    bool has_query = false;
};
[[nodiscard]] Target split_target(std::string_view target);

/// Decoded value of the first `name=` parameter (name compared without case). Plus signs mean
/// spaces in sb-hc-token and sb-hc-statusDescription, which are form-encoded, so the caller says.
[[nodiscard]] std::optional<std::string> query_parameter(std::string_view query,
                                                         std::string_view name,
                                                         Plus plus = Plus::literal);

/// The query without the relay's own sb-hc-… parameters; every other piece byte for byte, empty
/// ones included (docs/protocol.md, "Query parameters").
/// @param query  with or without the leading '?'; the result has one iff the input had and
/// something is left.
[[nodiscard]] std::string strip_relay_parameters(std::string_view query);

/// Path without "/$hc" (or "/%24hc", any case) in front and percent-decoded; with no '/' at either
/// end.
/// @return nullopt if an escape is malformed, or if the path holds a control character.
[[nodiscard]] std::optional<std::string> entity_path(std::string_view raw_path);

/// True if the raw path starts with /$hc/ in any spelling.
[[nodiscard]] bool is_hybrid_connection_path(std::string_view raw_path);

/// Request target for one WebSocket operation: /$hc/{entity}[?query&]sb-hc-action=…&sb-hc-id=…
/// @param entity  decoded; characters that a path may not hold are escaped.
[[nodiscard]] std::string make_target(std::string_view entity, std::string_view action,
                                      std::string_view id);

/// The entity as a path for the request line: escaped, '/' kept, no '/' in front.
[[nodiscard]] std::string escape_path(std::string_view entity);

/// @return why `path` can't name a hybrid connection, or "" if it can: 1..260 characters, segments
/// of letters, digits, '-', '.', '_', '/' and '~' within, none empty.
[[nodiscard]] std::string check_entity_path(std::string_view path);

}  // namespace hpb::hc
