#include "http/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/error_category.hpp"
#include "base/text.hpp"

namespace hpb::http {
namespace {

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// 0000-01-01 and the end of 9999: what four digits can say.
constexpr std::int64_t kFirstSecond = -62'167'219'200;
constexpr std::int64_t kLastSecond = 253'402'300'799;

/// Has no body and says so (RFC 9110 section 15.3.6).
constexpr unsigned kResetContent = 205;

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

bool is_token_char(char c) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

void append_value(std::string& out, std::string_view value) {
    for (const char c : value) out += is_control(c) && c != '\t' ? ' ' : c;
}

// A space or a line end would end the request target early, and begin what an attacker chose.
void append_target(std::string& out, std::string_view target) {
    for (const char c : target) {
        if (is_control(c) || c == ' ') {
            fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
        } else {
            out += c;
        }
    }
}

void append_headers(std::string& out, const Headers& headers) {
    for (const auto& header : headers.all()) {
        if (!is_token(header.name)) continue;
        out += header.name;
        out += ": ";
        append_value(out, header.value);
        out += "\r\n";
    }
}

template <std::size_t N>
std::optional<unsigned> index_of(const std::array<std::string_view, N>& names,
                                 std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    return static_cast<unsigned>(found - names.begin());
}

/// Digits only, unlike parse_int(), which takes a sign.
std::optional<unsigned> parse_digits(std::string_view text) {
    unsigned value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + static_cast<unsigned>(c - '0');
    }
    return value;
}

}  // namespace

boost::system::error_code make_error_code(errc e) {
    static const ErrorCategory category{
        "http", [](int value) -> const char* {
            switch (static_cast<errc>(value)) {
                case errc::malformed:
                    return "malformed HTTP message";
                case errc::head_too_large:
                    return "HTTP head is larger than allowed";
                case errc::body_too_large:
                    return "HTTP body is larger than allowed";
                case errc::truncated:
                    return "connection closed in the middle of an HTTP message";
            }
            return "unknown HTTP error";
        }};
    return {static_cast<int>(e), category};
}

std::size_t Headers::count(std::string_view name) const {
    return static_cast<std::size_t>(
        std::count_if(fields_.begin(), fields_.end(),
                      [&](const Header& field) { return iequals(field.name, name); }));
}

bool Headers::has(std::string_view name) const {
    return std::any_of(fields_.begin(), fields_.end(),
                       [&](const Header& field) { return iequals(field.name, name); });
}

std::string_view Headers::get(std::string_view name) const {
    for (const auto& field : fields_) {
        if (iequals(field.name, name)) return field.value;
    }
    return {};
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
    for (const auto& field : fields_) {
        if (!iequals(field.name, name)) continue;
        for (const auto piece : split(field.value, ',')) {
            if (iequals(trim(piece), token)) return true;
        }
    }
    return false;
}

std::string serialize(const RequestHead& request) {
    std::string out;
    std::copy_if(request.method.begin(), request.method.end(), std::back_inserter(out),
                 is_token_char);
    out += ' ';
    append_target(out, request.target);
    out += " HTTP/1.1\r\n";
    append_headers(out, request.headers);
    out += "\r\n";
    return out;
}

std::string_view find_ambiguity(const RequestHead& request) {
    const auto& headers = request.headers;
    if (headers.count("Host") > 1) return "There is more than one Host header";
    if (headers.count("Content-Length") > 1) return "There is more than one Content-Length header";
    if (headers.has("Content-Length") && headers.has("Transfer-Encoding")) {
        return "There are both Content-Length and Transfer-Encoding";
    }
    if (request.target.find('#') != std::string::npos) return "The request's target has a fragment";
    const bool absolute = request.target.find("://") < request.target.find_first_of("/?");
    const bool other_form =
        request.method == "CONNECT" || (request.method == "OPTIONS" && request.target == "*");
    if (!request.target.starts_with('/') && !absolute && !other_form) {
        return "The request's target does not begin with '/'";
    }
    return {};
}

bool may_have_body(unsigned status) {
    return status >= 200 && status != 204 && status != kResetContent && status != 304;
}

std::string serialize(const ResponseHead& response, std::string_view body) {
    std::string out = fmt::format("HTTP/1.1 {:03} ", response.status);
    append_value(out, response.reason.empty() ? default_reason(response.status) : response.reason);
    out += "\r\n";
    append_headers(out, response.headers);
    const bool framed =
        response.headers.has("Content-Length") || response.headers.has("Transfer-Encoding");
    const bool has_body = may_have_body(response.status);
    if (has_body && !framed) {
        fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", body.size());
    } else if (response.status == kResetContent && !framed) {
        out += "Content-Length: 0\r\n";
    }
    out += "\r\n";
    if (has_body) out += body;
    return out;
}

std::string format_date(std::int64_t unix_seconds) {
    using namespace std::chrono;
    const sys_seconds when{seconds{std::clamp(unix_seconds, kFirstSecond, kLastSecond)}};
    const auto day = floor<days>(when);
    const year_month_day date{day};
    const hh_mm_ss time{when - day};
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday{day}.c_encoding()],
                       unsigned{date.day()}, kMonths[unsigned{date.month()} - 1], int{date.year()},
                       time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::optional<std::int64_t> parse_date(std::string_view text) {
    using namespace std::chrono;
    constexpr std::string_view kShape = "ddd, 00 mmm 0000 00:00:00 GMT";
    if (text.size() != kShape.size()) return std::nullopt;
    for (const std::size_t at : {3u, 4u, 7u, 11u, 16u, 19u, 22u, 25u, 26u, 27u, 28u}) {
        if (text[at] != kShape[at]) return std::nullopt;
    }
    const auto month_index = index_of(kMonths, text.substr(8, 3));
    const auto day_number = parse_digits(text.substr(5, 2));
    const auto year_number = parse_digits(text.substr(12, 4));
    const auto hour = parse_digits(text.substr(17, 2));
    const auto minute = parse_digits(text.substr(20, 2));
    const auto second = parse_digits(text.substr(23, 2));
    if (!month_index || !day_number || !year_number || !hour || !minute || !second) {
        return std::nullopt;
    }
    const year_month_day date{year{static_cast<int>(*year_number)}, month{*month_index + 1},
                              day{*day_number}};
    // A leap second is written as 60.
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    const sys_days midnight{date};
    if (index_of(kDays, text.substr(0, 3)) != weekday{midnight}.c_encoding()) return std::nullopt;
    return duration_cast<seconds>(midnight.time_since_epoch()).count() + *hour * 3600 +
           *minute * 60 + *second;
}

}  // namespace hpb::http
