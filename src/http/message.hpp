// http: HTTP/1.1 message heads, parsed by Boost.Beast's parser behind a plain interface, sans-IO.
// Not here: sockets and what a request means. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace hpb::http {

struct Header {
    std::string name;
    std::string value;
};

/// Header fields in the order and spelling of the wire; look-ups ignore case (RFC 9110
/// section 5.1).
class Headers {
public:
    void add(std::string_view name, std::string_view value) {
        fields_.push_back({std::string(name), std::string(value)});
    }
    [[nodiscard]] const std::vector<Header>& all() const { return fields_; }
    [[nodiscard]] bool has(std::string_view name) const;
    [[nodiscard]] std::size_t count(std::string_view name) const;
    /// @return the first value, or "" when there is none.
    [[nodiscard]] std::string_view get(std::string_view name) const;
    /// True if any field `name`, read as a comma-separated list, has `token` (ignoring case).
    [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;

private:
    std::vector<Header> fields_;
};

struct RequestHead {
    std::string method;
    std::string target;  ///< as received, still percent-encoded
    Headers headers;
    unsigned version = 11;  ///< 10 or 11; not serialized
};

/// @return what makes `request` ambiguous, so that two parties could read it in two ways (RFC 9112
/// sections 3.2, 6.3 and 11), or "".
[[nodiscard]] std::string_view find_ambiguity(const RequestHead& request);

struct ResponseHead {
    unsigned status = 0;
    std::string reason;
    Headers headers;
};

enum class errc {
    malformed = 1,
    head_too_large,
    body_too_large,
    truncated,
};
[[nodiscard]] boost::system::error_code make_error_code(errc e);

/// Reads one request's head; the body, if any, is left to the caller.
class RequestParser {
public:
    /// @param head_limit  bytes of request line and headers together (errc::head_too_large beyond).
    explicit RequestParser(std::size_t head_limit);
    RequestParser(RequestParser&&) noexcept;
    RequestParser& operator=(RequestParser&&) noexcept;
    ~RequestParser();

    /// @return bytes of `in` that belong to the head. All of `in` is taken while done() is false;
    /// behind the head's end nothing is.
    [[nodiscard]] Result<std::size_t> put(ByteSpan in);
    [[nodiscard]] bool done() const;
    /// @pre done(). May be called once.
    [[nodiscard]] RequestHead take();
    /// What can be told of a head that put() did not accept, for the answer: method and target as
    /// they stand, and the header fields whose lines are whole.
    [[nodiscard]] RequestHead salvage() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Reads one response: the head, and the body (Content-Length, chunked, or until the end of the
/// stream).
class ResponseParser {
public:
    enum class Body { none, read };  ///< none: stop behind the head, as after an upgrade or CONNECT

    ResponseParser(Body body, std::size_t head_limit, std::size_t body_limit);
    ResponseParser(ResponseParser&&) noexcept;
    ResponseParser& operator=(ResponseParser&&) noexcept;
    ~ResponseParser();

    [[nodiscard]] Result<std::size_t> put(ByteSpan in);
    /// The peer closed its side. @return errc::truncated if the message is not complete by that.
    [[nodiscard]] Result<void> put_eof();
    [[nodiscard]] bool done() const;
    /// @pre done(). May be called once.
    [[nodiscard]] ResponseHead take_head();
    [[nodiscard]] std::string take_body();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Nothing in a head can end its line early, whatever it holds: control characters in values become
/// spaces, in the target escapes, and a header whose name is no token is left out.
[[nodiscard]] std::string serialize(const RequestHead& request);
/// Adds Content-Length, unless the headers have it or Transfer-Encoding, or the status has no body:
/// 1xx, 204, 205 and 304 are sent without (RFC 9110 section 6.4.1). An empty reason becomes
/// default_reason().
[[nodiscard]] std::string serialize(const ResponseHead& response, std::string_view body = {});

/// False for the statuses that never have a body, whatever the request was.
[[nodiscard]] bool may_have_body(unsigned status);

/// The registered reason phrase, "Unknown" for others.
[[nodiscard]] std::string_view default_reason(unsigned status);

/// IMF-fixdate of RFC 9110 section 5.6.7, for the Date header; and back (nullopt if it is not one).
[[nodiscard]] std::string format_date(std::int64_t unix_seconds);
[[nodiscard]] std::optional<std::int64_t> parse_date(std::string_view text);

}  // namespace hpb::http

template <>
struct boost::system::is_error_code_enum<hpb::http::errc> : std::true_type {};
