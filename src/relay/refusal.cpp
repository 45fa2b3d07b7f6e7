#include "relay/refusal.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <chrono>

#include "base/text.hpp"
#include "hc/runtime_info.hpp"
#include "hc/sas_token.hpp"
#include "hc/tracking_id.hpp"
#include "hc/utf8.hpp"

namespace hpb::relay {
namespace {

/// Of a listener's own words (docs/protocol.md, "Reject").
constexpr std::size_t kMaxPhraseSize = 1024;

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
        case 405:
            return "MethodNotAllowed";
        case 431:
            return "RequestHeaderFieldsTooLarge";
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

/// What a 401 has to offer. The realm is one word for a person; SharedAccessSignature is what
/// Azure's own services call their scheme.
std::string challenge(std::string_view host) {
    std::string realm = printable(host);
    std::erase_if(realm, [](char c) { return c == '"' || c == '\\'; });
    return std::string(hc::kTokenScheme) + " realm=\"" + realm + "\"";
}

/// The listener's own words as they are, or else the status's phrase.
std::string listeners_phrase(const Refusal& refusal) {
    const std::string text = hc::to_clean_utf8(hc::cut_utf8(refusal.sentence, kMaxPhraseSize));
    if (trim(text).empty()) return std::string(http::default_reason(refusal.status));
    return text;
}

}  // namespace

std::int64_t unix_now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

std::string closing_response(http::ResponseHead head, std::string_view method,
                             std::string_view content_type, std::string_view content) {
    head.headers.add("Date", http::format_date(unix_now()));
    head.headers.add("Connection", "close");
    if (!http::may_have_body(head.status)) return http::serialize(head);
    head.headers.add("Content-Type", content_type);
    if (method == "HEAD") {
        head.headers.add("Content-Length", std::to_string(content.size()));
        content = {};
    }
    return http::serialize(head, content);
}

std::string refusal_response(const Refusal& refusal, const RefusedRequest& request, Body body) {
    const std::string tracker =
        body == Body::text ? "sb://" + printable(request.host) + "/" + printable(request.entity)
                           : printable(request.host) + ":" + printable(request.entity);
    const std::int64_t now = unix_now();
    std::string phrase;
    std::string message;
    if (refusal.by_listener) {
        phrase = listeners_phrase(refusal);
        // The tracking text is for the body alone, and goes behind words that need not be ASCII.
        message = phrase + hc::tracked_message("", request.tracking_id, tracker, now);
    } else {
        message = hc::tracked_message(refusal.sentence, request.tracking_id, tracker, now);
        phrase = message;
    }
    http::ResponseHead head{.status = refusal.status, .reason = phrase, .headers = {}};
    // What these statuses have to come with (RFC 9110 sections 15.5.2 and 15.5.6).
    if (refusal.status == 401) head.headers.add("WWW-Authenticate", challenge(request.host));
    if (refusal.status == 405) head.headers.add("Allow", "GET, HEAD");
    switch (body) {
        case Body::json:
            return closing_response(std::move(head), request.method, "application/json",
                                    json_body(refusal.status, message));
        case Body::xml:
            return closing_response(std::move(head), request.method,
                                    "application/xml; charset=utf-8",
                                    hc::to_error_document(refusal.status, message));
        case Body::text:
            break;
    }
    return closing_response(std::move(head), request.method, "text/plain; charset=utf-8",
                            message + "\n");
}

}  // namespace hpb::relay
