#include "hc/control_message.hpp"

#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <map>

#include "base/text.hpp"
#include "hc/json.hpp"
#include "hc/sas_token.hpp"
#include "hc/utf8.hpp"

namespace hpb::hc {
namespace {

namespace json = boost::json;

Error malformed(std::string_view why) {
    return {errc::malformed_message, fmt::format("control message: {}", why)};
}

Error missing(std::string_view message, std::string_view field) {
    return malformed(fmt::format("'{}' lacks the string '{}'", message, field));
}

json::string_view key_of(std::string_view name) {
    return {name.data(), name.size()};
}

const json::object* find_object(const json::object& parent, std::string_view name) {
    const auto* value = parent.if_contains(key_of(name));
    return value != nullptr ? value->if_object() : nullptr;
}

/// The field if it is a string; nullopt otherwise.
std::optional<std::string> find_string(const json::object& parent, std::string_view name) {
    const auto* value = parent.if_contains(key_of(name));
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->get_string());
}

bool find_true(const json::object& parent, std::string_view name) {
    const auto* value = parent.if_contains(key_of(name));
    return value != nullptr && value->is_bool() && value->get_bool();
}

/// An integer, written as number or string.
std::optional<long long> find_integer(const json::object& parent, std::string_view name) {
    const auto* value = parent.if_contains(key_of(name));
    if (value == nullptr) return std::nullopt;
    const auto text = scalar_text(*value);
    return text ? parse_int(*text) : std::nullopt;
}

Result<ControlMessage> parse_accept(const json::object& fields) {
    AcceptMessage message;
    auto address = find_string(fields, "address");
    if (!address) return missing("accept", "address");
    message.address = std::move(*address);
    message.id = find_string(fields, "id").value_or("");
    if (const auto* headers = find_object(fields, "connectHeaders")) {
        for (const auto& [name, value] : *headers) {
            if (auto text = scalar_text(value)) {
                message.connect_headers.emplace_back(std::string(name), std::move(*text));
            }
        }
    }
    if (const auto* endpoint = find_object(fields, "remoteEndpoint")) {
        message.remote_address = find_string(*endpoint, "address").value_or("");
        const auto port = find_integer(*endpoint, "port").value_or(0);
        if (port > 0 && port <= 65535) message.remote_port = static_cast<std::uint16_t>(port);
    }
    return message;
}

Result<ControlMessage> parse_request(const json::object& fields) {
    auto address = find_string(fields, "address");
    if (!address) return missing("request", "address");
    return RequestMessage{std::move(*address), find_string(fields, "id").value_or(""),
                          find_true(fields, "body")};
}

Result<ControlMessage> parse_renew_token(const json::object& fields) {
    auto token = find_string(fields, "token");
    if (!token) return missing("renewToken", "token");
    return RenewTokenMessage{std::move(*token)};
}

Result<ControlMessage> parse_response(const json::object& fields) {
    ResponseMessage message;
    auto id = find_string(fields, "requestId");
    if (!id) return missing("response", "requestId");
    message.request_id = std::move(*id);
    const auto status = find_integer(fields, "statusCode");
    if (!status || *status < 100 || *status > 999) {
        return malformed("'response' lacks a 'statusCode' from 100 to 999");
    }
    message.status_code = static_cast<int>(*status);
    message.status_description = find_string(fields, "statusDescription").value_or("");
    message.has_body = find_true(fields, "body");
    return message;
}

struct KnownMessage {
    std::string_view key;
    Result<ControlMessage> (*parse)(const json::object& fields);
};
constexpr KnownMessage kKnownMessages[] = {{"accept", parse_accept},
                                           {"request", parse_request},
                                           {"renewToken", parse_renew_token},
                                           {"response", parse_response}};

json::string json_string(std::string_view text) {
    const auto clean = to_clean_utf8(text);
    return json::string(clean.data(), clean.size());
}

/// One JSON member per name, as a map of strings is all that clients read: values of repeated
/// headers are joined (RFC 9110 section 5.3; cookies have their own separator, RFC 6265
/// section 4.2.1).
json::object join_headers(const std::vector<std::pair<std::string, std::string>>& headers) {
    json::object object;
    std::map<std::string, json::string> spelling;
    for (const auto& [name, value] : headers) {
        const auto [known, is_new] = spelling.try_emplace(to_lower(name), json_string(name));
        const auto text = json_string(value);
        if (is_new) {
            object[known->second] = text;
            continue;
        }
        auto& joined = object[known->second].as_string();
        joined += known->first == "cookie" ? "; " : ", ";
        joined += text;
    }
    return object;
}

std::string wrap(std::string_view key, json::object fields) {
    json::object message;
    message.emplace(key_of(key), std::move(fields));
    return json::serialize(message);
}

}  // namespace

Result<ControlMessage> parse_control_message(std::string_view text) {
    const auto parsed = parse_json(text, kMaxControlMessageSize,
                                   make_error_code(errc::malformed_message), "control message");
    if (!parsed) return parsed.error();
    const auto* message = parsed->if_object();
    if (message == nullptr) return malformed("not a JSON object");
    for (const auto& known : kKnownMessages) {
        const auto* value = message->if_contains(key_of(known.key));
        if (value == nullptr) continue;
        if (!value->is_object()) return malformed(fmt::format("'{}' is not an object", known.key));
        return known.parse(value->get_object());
    }
    if (message->empty()) return UnknownMessage{};
    return UnknownMessage{printable(std::string_view(message->begin()->key()), 64)};
}

Result<std::string> serialize(const AcceptMessage& message) {
    const Error too_large{hpb::errc::limit_exceeded,
                          "the request's headers are too large for a control message"};
    std::size_t least = message.address.size() + message.id.size();
    for (const auto& [name, value] : message.connect_headers) least += name.size() + value.size();
    if (least > kMaxControlMessageSize) return too_large;

    json::object endpoint;
    endpoint["address"] = json_string(message.remote_address);
    endpoint["port"] = message.remote_port;
    json::object fields;
    fields["address"] = json_string(message.address);
    fields["id"] = json_string(message.id);
    fields["connectHeaders"] = join_headers(message.connect_headers);
    fields["remoteEndpoint"] = std::move(endpoint);
    auto text = wrap("accept", std::move(fields));
    if (text.size() > kMaxControlMessageSize) return too_large;
    return text;
}

std::string serialize(const RenewTokenMessage& message) {
    json::object fields;
    fields["token"] = json_string(message.token);
    return wrap("renewToken", std::move(fields));
}

std::string serialize(const ResponseMessage& message) {
    json::object fields;
    fields["requestId"] = json_string(message.request_id);
    fields["statusCode"] = message.status_code;
    fields["statusDescription"] = json_string(message.status_description);
    fields["responseHeaders"] = json::object{};
    fields["body"] = message.has_body;
    return wrap("response", std::move(fields));
}

}  // namespace hpb::hc
