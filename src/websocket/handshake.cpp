#include "websocket/handshake.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "crypto/crypto.hpp"
#include "websocket/frame.hpp"

namespace hpb::websocket {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

Error bad_handshake(std::string detail) {
    return {errc::bad_handshake, std::move(detail)};
}

bool is_valid_key(std::string_view key) {
    // hyco-ws sends the base64 of a text that is not 16 bytes long, so only the alphabet is
    // checked.
    const bool sized = key.size() >= 4 && key.size() <= 128;
    return sized && std::all_of(key.begin(), key.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '+' || c == '/' || c == '=';
           });
}

}  // namespace

std::string accept_key(std::string_view key) {
    std::string text(key);
    text += kGuid;
    return crypto::base64_encode(crypto::sha1(as_bytes(text)));
}

std::string make_key() {
    std::array<std::byte, 16> random{};
    crypto::random_bytes(random);
    return crypto::base64_encode(random);
}

bool is_upgrade(const http::RequestHead& request) {
    return request.headers.has_token("Upgrade", "websocket");
}

Result<void> check_upgrade_request(const http::RequestHead& request) {
    if (request.method != "GET") return bad_handshake("a WebSocket upgrade must be a GET request");
    if (request.version < 11) return bad_handshake("a WebSocket upgrade needs HTTP/1.1");
    const auto length = request.headers.get("Content-Length");
    if (request.headers.has("Transfer-Encoding") || (!length.empty() && length != "0")) {
        return bad_handshake("a WebSocket upgrade has no body");
    }
    for (const auto* name : {"Sec-WebSocket-Key", "Sec-WebSocket-Version"}) {
        if (request.headers.count(name) > 1)
            return bad_handshake(std::string("there is more than one ") + name);
    }
    if (!request.headers.has_token("Connection", "upgrade")) {
        return bad_handshake("the header Connection: Upgrade is missing");
    }
    if (request.headers.get("Sec-WebSocket-Version") != "13") {
        return bad_handshake("Sec-WebSocket-Version must be 13");
    }
    if (!is_valid_key(request.headers.get("Sec-WebSocket-Key"))) {
        return bad_handshake("Sec-WebSocket-Key is missing or malformed");
    }
    return {};
}

http::ResponseHead make_upgrade_response(const http::RequestHead& request,
                                         std::string_view subprotocol) {
    http::ResponseHead response{.status = 101, .reason = "Switching Protocols", .headers = {}};
    response.headers.add("Connection", "Upgrade");
    response.headers.add("Upgrade", "websocket");
    response.headers.add("Sec-WebSocket-Accept",
                         accept_key(request.headers.get("Sec-WebSocket-Key")));
    if (!subprotocol.empty()) response.headers.add("Sec-WebSocket-Protocol", subprotocol);
    return response;
}

http::RequestHead make_upgrade_request(std::string_view host, std::string_view target,
                                       std::string_view key,
                                       const std::vector<std::string>& subprotocols,
                                       const http::Headers& headers) {
    http::RequestHead request{.method = "GET", .target = std::string(target), .headers = {}};
    request.headers.add("Host", host);
    request.headers.add("Connection", "Upgrade");
    request.headers.add("Upgrade", "websocket");
    request.headers.add("Sec-WebSocket-Version", "13");
    request.headers.add("Sec-WebSocket-Key", key);
    if (!subprotocols.empty()) {
        std::string list;
        for (const auto& name : subprotocols) {
            if (!list.empty()) list += ", ";
            list += name;
        }
        request.headers.add("Sec-WebSocket-Protocol", list);
    }
    for (const auto& header : headers.all()) request.headers.add(header.name, header.value);
    return request;
}

Result<void> check_upgrade_response(const http::ResponseHead& response, std::string_view key,
                                    const std::vector<std::string>& offered) {
    if (response.status != 101) {
        return Error{errc::handshake_refused,
                     std::to_string(response.status) + " " + printable(response.reason)};
    }
    const auto& headers = response.headers;
    if (!headers.has_token("Upgrade", "websocket") || !headers.has_token("Connection", "upgrade")) {
        return bad_handshake("the 101 response lacks Upgrade: websocket or Connection: Upgrade");
    }
    if (headers.get("Sec-WebSocket-Accept") != accept_key(key)) {
        return bad_handshake("the 101 response's Sec-WebSocket-Accept does not match the key");
    }
    if (!headers.get("Sec-WebSocket-Extensions").empty()) {
        return bad_handshake("the 101 response selects an extension that was not offered");
    }
    const auto chosen = headers.get("Sec-WebSocket-Protocol");
    if (!chosen.empty() && std::find(offered.begin(), offered.end(), chosen) == offered.end()) {
        return bad_handshake("the 101 response selects a subprotocol that was not offered");
    }
    return {};
}

std::vector<std::string> offered_subprotocols(const http::Headers& headers) {
    std::vector<std::string> names;
    for (const auto& header : headers.all()) {
        if (!iequals(header.name, "Sec-WebSocket-Protocol")) continue;
        for (const auto piece : split(header.value, ',')) {
            if (const auto name = trim(piece); !name.empty()) names.emplace_back(name);
        }
    }
    return names;
}

}  // namespace hpb::websocket
