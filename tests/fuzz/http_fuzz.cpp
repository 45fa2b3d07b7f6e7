// The same bytes whole and in pieces have to give the same head, body and error; what was parsed
// can be written and read again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "http/forwarded.hpp"
#include "http/message.hpp"

namespace {

using namespace hpb;

constexpr std::size_t kHeadLimit = 4096;
constexpr std::size_t kBodyLimit = 4096;

void require(bool condition) {
    if (!condition) std::abort();
}

/// @return bytes taken, or -1 after an error.
template <class Parser>
long long feed(Parser& parser, ByteSpan in, std::size_t piece) {
    long long total = 0;
    while (!parser.done() && !in.empty()) {
        const auto part = in.first(std::min(piece, in.size()));
        const auto taken = parser.put(part);
        if (!taken) return -1;
        require(*taken <= part.size() && (parser.done() || *taken == part.size()));
        total += static_cast<long long>(*taken);
        in = in.subspan(*taken);
    }
    return total;
}

bool same(const http::Headers& a, const http::Headers& b) {
    return std::equal(a.all().begin(), a.all().end(), b.all().begin(), b.all().end(),
                      [](const http::Header& x, const http::Header& y) {
                          return x.name == y.name && x.value == y.value;
                      });
}

void check_request(ByteSpan in, std::size_t piece) {
    http::RequestParser whole(kHeadLimit);
    http::RequestParser parts(kHeadLimit);
    require(feed(whole, in, in.size()) == feed(parts, in, piece));
    require(whole.done() == parts.done());
    if (!whole.done()) return;
    const auto head = whole.take();
    for (const auto& hops :
         {http::x_forwarded_for(head.headers), http::forwarded_for(head.headers)})
        for (const auto& hop : hops)
            require(http::parse_forwarded_node(hop).host.size() <= hop.size());
    require(same(head.headers, parts.take().headers));
    const auto text = http::serialize(head);
    http::RequestParser again(text.size());
    require(feed(again, as_bytes(text), text.size()) == static_cast<long long>(text.size()));
    require(again.done());
    const auto copy = again.take();
    require(copy.method == head.method && copy.target == head.target);
    require(copy.headers.all().size() == head.headers.all().size());
}

void check_response(ByteSpan in, std::size_t piece, http::ResponseParser::Body body) {
    http::ResponseParser whole(body, kHeadLimit, kBodyLimit);
    http::ResponseParser parts(body, kHeadLimit, kBodyLimit);
    // How soon an error shows may depend on the pieces; whether the message is complete may not.
    const auto taken = feed(whole, in, in.size());
    const auto taken_in_parts = feed(parts, in, piece);
    require(taken == taken_in_parts || taken < 0 || taken_in_parts < 0);
    const bool complete = static_cast<bool>(whole.put_eof());
    require(complete == static_cast<bool>(parts.put_eof()));
    require(whole.done() == complete);
    if (!complete) return;
    const auto head = whole.take_head();
    const auto text = whole.take_body();
    require(text.size() <= kBodyLimit && text == parts.take_body());
    require(same(head.headers, parts.take_head().headers));
    // RFC 9110 section 6.4.1: these have no body, whatever is asked for.
    const bool bodiless =
        head.status < 200 || head.status == 204 || head.status == 205 || head.status == 304;
    require(bodiless || http::serialize(head, text).size() >= text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t piece = 1 + data[0] % 16;
    const auto in = std::as_bytes(std::span(data + 1, size - 1));
    check_request(in, piece);
    check_response(in, piece, http::ResponseParser::Body::read);
    check_response(in, piece, http::ResponseParser::Body::none);
    if (const auto date = http::parse_date(as_text(in))) {
        require(http::parse_date(http::format_date(*date)) == date);
    }
    return 0;
}
