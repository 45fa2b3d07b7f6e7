#include "relay/refusal.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <chrono>

#include "base/text.hpp"
#include "hc/runtime_info.hpp"
#include "hc/tracking_id.hpp"

namespace hpb::relay {
namespace {

std::string_view error_code_name(unsigned status) {
    switch (status) {
        case 400:
            return "BadRequest";
        case 401:
            return "TokenMissingOrInvalid";
        case 403:
            return "Forbidden";
        case 404:
            return "EndpointNotFound";
        case 501:
            return "NotImplemented";
        case 503:
            return "ServerBusy";
        default:
            return "Error";
    }
}

std::string json_body(unsigned status, std::string_view message) {
    const boost::json::value document = {
        {"error", {{"code", error_code_name(status)}, {"message", message}}}};
    return boost::json::serialize(document);
}

}  // namespace

std::int64_t unix_now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

std::string refusal_response(const Refusal& refusal, std::string_view tracking_id,
                             std::string_view host, std::string_view entity, Body body) {
    const std::int64_t now = unix_now();
    const std::string tracker = body == Body::text
                                    ? "sb://" + printable(host) + "/" + printable(entity)
                                    : printable(host) + ":" + printable(entity);
    const std::string message = hc::tracked_message(refusal.sentence, tracking_id, tracker, now);
    http::ResponseHead head{.status = refusal.status, .reason = message, .headers = {}};
    head.headers.add("Date", http::format_date(now));
    head.headers.add("Connection", "close");
    std::string content;
    switch (body) {
        case Body::text:
            head.headers.add("Content-Type", "text/plain; charset=utf-8");
            content = message + "\n";
            break;
        case Body::json:
            head.headers.add("Content-Type", "application/json");
            content = json_body(refusal.status, message);
            break;
        case Body::xml:
            head.headers.add("Content-Type", "application/xml; charset=utf-8");
            content = hc::to_error_document(refusal.status, message);
            break;
    }
    return http::serialize(head, content);
}

}  // namespace hpb::relay
