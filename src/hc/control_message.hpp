#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"

namespace hpb::hc {

/// .NET and Java clients refuse a longer text message.
inline constexpr std::size_t kMaxControlMessageSize = 64 * 1024 - 1;
inline constexpr std::size_t kMaxConnectHeadersSize = 32 * 1024;

/// Relay to listener: a sender waits (docs/protocol.md, "accept").
struct AcceptMessage {
    std::string address;  ///< absolute wss:// URL, to be opened as it is
    std::string id;       ///< begins with a GUID
    std::vector<std::pair<std::string, std::string>> connect_headers;
    std::string remote_address;  ///< the sender's IP literal; "" if the relay did not say
    std::uint16_t remote_port = 0;
};

/// Relay to listener: an HTTP request waits. Only what a refusal needs: the agents have no HTTP
/// handler.
struct RequestMessage {
    std::string address;
    std::string id;         ///< "" when the request comes over the rendezvous only
    bool has_body = false;  ///< the next binary message is the request's body
};

/// Listener to relay.
struct RenewTokenMessage {
    std::string token;
};

/// Listener to relay: an answer to a request. The next binary message is its body if `has_body`.
struct ResponseMessage {
    std::string request_id;
    int status_code = 0;
    std::string status_description;
    bool has_body = false;
};

/// Well-formed JSON with a key that this version does not know; to be ignored.
struct UnknownMessage {
    std::string key;
};

using ControlMessage =
    std::variant<AcceptMessage, RequestMessage, RenewTokenMessage, ResponseMessage, UnknownMessage>;

/// Any key order, unknown fields ignored, `\/` accepted.
/// @return errc::malformed_message for what is not one JSON object or lacks a required field.
[[nodiscard]] Result<ControlMessage> parse_control_message(std::string_view json);

/// @return limit_exceeded if the text would not be below 64 KiB.
[[nodiscard]] Result<std::string> serialize(const AcceptMessage& message);
[[nodiscard]] std::string serialize(const RenewTokenMessage& message);
[[nodiscard]] std::string serialize(const ResponseMessage& message);

}  // namespace hpb::hc
