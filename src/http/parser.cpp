// The one translation unit that compiles Boost.Beast's HTTP parser.
#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>

#include "base/text.hpp"
#include "http/message.hpp"

namespace hpb::http {
namespace {

namespace beast = boost::beast;
using beast::http::basic_parser;
using ErrorCode = boost::system::error_code;

std::string_view to_std(beast::string_view text) {
    return {text.data(), text.size()};
}

/// What Beast finds, in our types: its own containers regroup header fields, ours keep the wire's
/// order.
template <bool kIsRequest>
class MessageReader final : public basic_parser<kIsRequest> {
public:
    RequestHead request;
    ResponseHead response;
    std::string body;

private:
    void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target,
                         int version, ErrorCode&) override {
        request.version = static_cast<unsigned>(version);
        request.method = to_std(method);
        request.target = to_std(target);
    }
    void on_response_impl(int code, beast::string_view reason, int, ErrorCode&) override {
        response.status = static_cast<unsigned>(code);
        response.reason = to_std(reason);
    }
    void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                       ErrorCode&) override {
        if (head_done_) return;  // trailers: nothing here uses them (RFC 9110 section 6.5.1)
        (kIsRequest ? request.headers : response.headers).add(to_std(name), to_std(value));
    }
    void on_header_impl(ErrorCode&) override { head_done_ = true; }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
    std::size_t on_body_impl(beast::string_view piece, ErrorCode&) override {
        body += to_std(piece);
        return piece.size();
    }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, ErrorCode&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view piece, ErrorCode&) override {
        body += to_std(piece);
        return piece.size();
    }
    void on_finish_impl(ErrorCode&) override {}

    bool head_done_ = false;
};

/// Interim answers (1xx) before the final one.
constexpr unsigned kMaxInterim = 16;

Error malformed(std::string_view what, std::string_view why) {
    return {errc::malformed, std::string(what) + " is malformed: " + std::string(why)};
}

/// Collects a head up to its empty line. Bytes that no head can hold are refused as they come, so
/// that a peer with another protocol (TLS on a plain port, say) is not kept waiting for an empty
/// line.
class HeadBuffer {
public:
    /// lenient: what curl, Go and browsers take too: lines that end in LF alone, and a status line
    /// without a reason and the space before it.
    enum class Mode { strict, lenient };

    HeadBuffer(std::string_view what, std::size_t limit, Mode mode)
        : what_(what), limit_(limit), mode_(mode) {}

    /// @return bytes taken.
    Result<std::size_t> put(std::string_view in) {
        for (std::size_t i = 0; i < in.size(); ++i) {
            const char c = in[i];
            const bool after_cr = !text_.empty() && text_.back() == '\r';
            const bool bare = c == '\n' && !after_cr;
            if (bare ? mode_ == Mode::strict : (c == '\n') != after_cr)
                return malformed(what_, "bad line ending");
            if (c == '\0' || (c > 0 && c < ' ' && c != '\t' && c != '\r' && c != '\n') ||
                c == '\x7f') {
                return malformed(what_, "control character");
            }
            if (mode_ == Mode::strict && (c == ' ' || c == '\t') && text_.ends_with("\r\n")) {
                return malformed(what_, "a line that begins with a space");
            }
            if (text_.size() >= limit_) {
                return Error{errc::head_too_large,
                             what_ + " is larger than " + std::to_string(limit_) + " bytes"};
            }
            if (bare) text_ += '\r';
            text_ += c;
            if (c == '\n') complete_status_line();
            if (c == '\n' && text_.ends_with("\r\n\r\n")) {
                complete_ = true;
                return i + 1;
            }
        }
        return in.size();
    }
    [[nodiscard]] bool complete() const { return complete_; }
    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] const std::string& what() const { return what_; }

private:
    // The parser demands the space that RFC 9112 section 4 does.
    void complete_status_line() {
        constexpr std::string_view kBare = "HTTP/1.1 200\r\n";
        if (mode_ == Mode::lenient && text_.size() == kBare.size() && text_.starts_with("HTTP/1."))
            text_.insert(text_.size() - 2, 1, ' ');
    }

    std::string what_;
    std::size_t limit_;
    Mode mode_;
    std::string text_;
    bool complete_ = false;
};

/// Hands a complete head to Beast. The limit has been applied by HeadBuffer.
template <bool kIsRequest>
Result<void> parse_head(const HeadBuffer& head, MessageReader<kIsRequest>& reader) {
    ErrorCode error;
    reader.header_limit(std::numeric_limits<std::uint32_t>::max());
    reader.eager(false);
    const auto taken = reader.put({head.text().data(), head.text().size()}, error);
    if (error == beast::http::error::body_limit) {
        return Error{errc::body_too_large, "HTTP body is larger than allowed"};
    }
    if (error && error != beast::http::error::need_more) {
        return malformed(head.what(), error.message());
    }
    if (!reader.is_header_done() || taken != head.text().size()) {
        return malformed(head.what(), "unexpected empty line");
    }
    reader.eager(true);
    return {};
}

}  // namespace

struct RequestParser::Impl {
    explicit Impl(std::size_t head_limit)
        : head("HTTP request head", head_limit, HeadBuffer::Mode::strict) {}

    Result<std::size_t> put(std::string_view in) {
        if (failure) return *failure;
        if (head.complete()) return std::size_t{0};
        auto taken = head.put(in);
        if (taken && head.complete()) {
            const auto parsed = parse_head(head, reader);
            if (!parsed) taken = parsed.error();
        }
        if (!taken) failure = taken.error();
        return taken;
    }

    HeadBuffer head;
    MessageReader<true> reader;
    std::optional<Error> failure;
};

RequestParser::RequestParser(std::size_t head_limit) : impl_(std::make_unique<Impl>(head_limit)) {
    impl_->reader.skip(true);
}
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;
RequestParser::~RequestParser() = default;

Result<std::size_t> RequestParser::put(ByteSpan in) {
    return impl_->put(as_text(in));
}
bool RequestParser::done() const {
    return impl_->head.complete() && !impl_->failure;
}
RequestHead RequestParser::take() {
    return std::move(impl_->reader.request);
}

RequestHead RequestParser::salvage() const {
    RequestHead found;
    const std::string_view text = impl_->head.text();
    bool first = true;
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string_view::npos;
         at = end + 1) {
        const auto line = trim(text.substr(at, end - at));
        if (std::exchange(first, false)) {
            const auto parts = split(line, ' ');
            found.method = parts[0];
            if (parts.size() > 1) found.target = parts[1];
        } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
            found.headers.add(line.substr(0, colon), trim(line.substr(colon + 1)));
        }
    }
    return found;
}

struct ResponseParser::Impl {
    Impl(Body wanted, std::size_t head_size_limit, std::size_t body_size_limit)
        : body(wanted), head_limit(head_size_limit), body_limit(body_size_limit) {
        begin();
    }

    void begin() {
        head.emplace("HTTP response head", head_limit, HeadBuffer::Mode::lenient);
        reader.emplace();
        reader->skip(body == Body::none);
        reader->body_limit(body_limit);
    }

    /// Answers before the final one are read over (RFC 9110 section 15.2); 101 is final.
    [[nodiscard]] bool is_interim() const {
        return reader->response.status / 100 == 1 && reader->response.status != 101;
    }

    Result<std::size_t> put(std::string_view in) {
        if (failure) return *failure;
        auto taken = read(in);
        if (!taken) failure = taken.error();
        return taken;
    }

    Result<std::size_t> read(std::string_view in) {
        std::size_t head_bytes = 0;
        while (!head->complete()) {
            const auto taken = head->put(in.substr(head_bytes));
            if (!taken) return taken;
            head_bytes += *taken;
            if (!head->complete()) return head_bytes;
            if (const auto parsed = parse_head(*head, *reader); !parsed) return parsed.error();
            if (reader->response.status < 100) return malformed(head->what(), "bad status");
            if (!is_interim()) break;
            if (++interim > kMaxInterim)
                return malformed(head->what(), "too many interim responses");
            begin();
        }
        const auto body_bytes = read_body(in.substr(head_bytes));
        if (!body_bytes) return body_bytes;
        return head_bytes + *body_bytes;
    }

    Result<std::size_t> read_body(std::string_view in) {
        if (reader->is_done()) return std::size_t{0};
        pending += in;
        std::size_t used = 0;
        // Before its end a chunked body always has five bytes to come ("0", two line ends). Beast
        // relies on having them: given fewer of a body that begins with its last chunk, it fails an
        // assertion.
        const std::size_t least = reader->chunked() ? 5 : 1;
        while (!reader->is_done() && pending.size() - used >= least) {
            ErrorCode error;
            const auto n = reader->put({pending.data() + used, pending.size() - used}, error);
            used += n;
            if (error == beast::http::error::need_more) break;
            if (error == beast::http::error::body_limit) {
                return Error{errc::body_too_large, "HTTP response body is larger than " +
                                                       std::to_string(body_limit) + " bytes"};
            }
            if (error) return malformed("HTTP response body", error.message());
        }
        pending.erase(0, used);
        if (reader->is_done()) {
            const std::size_t behind = std::min(pending.size(), in.size());
            pending.clear();
            return in.size() - behind;
        }
        // What waits for more is a chunk's size line or the trailers.
        if (pending.size() > head_limit) {
            return Error{errc::head_too_large, "HTTP chunk header or trailers are larger than " +
                                                   std::to_string(head_limit) + " bytes"};
        }
        return in.size();
    }

    Body body;
    std::size_t head_limit;
    std::size_t body_limit;
    std::optional<HeadBuffer> head;
    std::optional<MessageReader<false>> reader;
    unsigned interim = 0;
    std::string pending;
    std::optional<Error> failure;
};

ResponseParser::ResponseParser(Body body, std::size_t head_limit, std::size_t body_limit)
    : impl_(std::make_unique<Impl>(body, head_limit, body_limit)) {}
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;
ResponseParser& ResponseParser::operator=(ResponseParser&&) noexcept = default;
ResponseParser::~ResponseParser() = default;

Result<std::size_t> ResponseParser::put(ByteSpan in) {
    return impl_->put(as_text(in));
}

Result<void> ResponseParser::put_eof() {
    if (impl_->failure) return *impl_->failure;
    if (impl_->reader->is_done()) return {};
    ErrorCode error = beast::http::error::partial_message;
    if (impl_->head->complete()) impl_->reader->put_eof(error);
    if (!error) return {};
    impl_->failure = Error{errc::truncated};
    return *impl_->failure;
}

bool ResponseParser::done() const {
    return impl_->reader->is_done() && !impl_->failure;
}
ResponseHead ResponseParser::take_head() {
    return std::move(impl_->reader->response);
}
std::string ResponseParser::take_body() {
    return std::move(impl_->reader->body);
}

std::string_view default_reason(unsigned status) {
    if (status == 418) return "I'm a teapot";
    const auto known = beast::http::int_to_status(status);
    if (known == beast::http::status::unknown) return "Unknown";
    return to_std(beast::http::obsolete_reason(known));
}

}  // namespace hpb::http
