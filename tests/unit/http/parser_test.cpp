#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "http/message.hpp"

namespace hpb::http {
namespace {

constexpr std::size_t kLimit = 4096;

/// Feeds `text` in pieces. @return bytes taken until done, an error, or the end of the text.
template <class Parser>
Result<std::size_t> feed(Parser& parser, std::string_view text,
                         const std::function<std::size_t()>& piece_size) {
    std::size_t total = 0;
    while (!parser.done() && total < text.size()) {
        const auto piece = text.substr(total, piece_size());
        const auto taken = parser.put(as_bytes(piece));
        if (!taken) return taken;
        total += *taken;
        if (!parser.done()) EXPECT_EQ(*taken, piece.size());
    }
    return total;
}

/// Runs `check` with a way to feed the text: whole, byte by byte, and in random pieces.
void three_ways(const std::function<void(const std::function<std::size_t()>&)>& check) {
    check([] { return std::string::npos; });
    check([] { return std::size_t{1}; });
    for (unsigned seed = 1; seed <= 10; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random(seed);
        check([&] { return std::size_t{1 + random() % 20}; });
    }
}

void expect_request_error(std::string_view text, errc expected, std::size_t limit = kLimit) {
    three_ways([&](const auto& sizes) {
        RequestParser parser(limit);
        const auto result = feed(parser, text, sizes);
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().code(), make_error_code(expected)) << text;
        EXPECT_FALSE(parser.done());
        EXPECT_FALSE(parser.put(as_bytes("x")));  // the failure stays
    });
}

void expect_response_error(std::string_view text, errc expected, std::size_t body_limit = 100,
                           std::size_t head_limit = kLimit) {
    three_ways([&](const auto& sizes) {
        ResponseParser parser(ResponseParser::Body::read, head_limit, body_limit);
        const auto result = feed(parser, text, sizes);
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().code(), make_error_code(expected)) << text;
        EXPECT_FALSE(parser.done());
        EXPECT_FALSE(parser.put_eof());
    });
}

struct Response {
    ResponseHead head;
    std::string body;
    std::size_t taken = 0;
};

void read_response(std::string_view text, const std::function<void(const Response&)>& check,
                   ResponseParser::Body mode = ResponseParser::Body::read) {
    three_ways([&](const auto& sizes) {
        ResponseParser parser(mode, kLimit, 100);
        const auto taken = feed(parser, text, sizes);
        ASSERT_TRUE(taken) << taken.error().message();
        ASSERT_TRUE(parser.done());
        EXPECT_EQ(parser.put(as_bytes("more")).value(), 0u);
        EXPECT_TRUE(parser.put_eof());
        check({parser.take_head(), parser.take_body(), *taken});
    });
}

TEST(RequestParser, KeepsOrderSpellingAndDuplicates) {
    constexpr std::string_view kHead =
        "GET /$hc/hyco?sb-hc-action=listen HTTP/1.1\r\n"
        "X-Second: b\r\nhost: localhost:8443\r\nX-First: 1\r\nx-second:\t c \r\nEmpty:\r\n\r\n";
    three_ways([&](const auto& sizes) {
        RequestParser parser(kLimit);
        const std::string text = std::string(kHead) + "behind";
        EXPECT_EQ(feed(parser, text, sizes).value(), kHead.size());
        ASSERT_TRUE(parser.done());
        EXPECT_EQ(parser.put(as_bytes("behind")).value(), 0u);
        const auto head = parser.take();
        EXPECT_EQ(head.method, "GET");
        EXPECT_EQ(head.target, "/$hc/hyco?sb-hc-action=listen");
        ASSERT_EQ(head.headers.all().size(), 5u);
        EXPECT_EQ(head.headers.all()[0].name, "X-Second");
        EXPECT_EQ(head.headers.all()[1].name, "host");
        EXPECT_EQ(head.headers.all()[3].name, "x-second");
        EXPECT_EQ(head.headers.all()[3].value, "c");
        EXPECT_EQ(head.headers.all()[4].value, "");
    });
}

TEST(RequestParser, ToleratesTheHeaderNameZero) {
    three_ways([](const auto& sizes) {
        RequestParser parser(kLimit);
        ASSERT_TRUE(feed(parser,
                         "GET /x HTTP/1.1\r\nHost: h\r\n"
                         "0: Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
                         sizes));
        ASSERT_TRUE(parser.done());
        EXPECT_EQ(parser.take().headers.get("0"), "Sec-WebSocket-Extensions: permessage-deflate");
    });
}

TEST(RequestParser, LeavesTheBodyToTheCaller) {
    constexpr std::string_view kHead = "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
    three_ways([&](const auto& sizes) {
        RequestParser parser(kLimit);
        EXPECT_EQ(feed(parser, std::string(kHead) + "12345", sizes).value(), kHead.size());
        EXPECT_TRUE(parser.done());
    });
}

TEST(RequestParser, MovesWithItsState) {
    RequestParser first(kLimit);
    ASSERT_TRUE(first.put(as_bytes("GET / HT")));
    RequestParser second(std::move(first));
    ASSERT_TRUE(second.put(as_bytes("TP/1.1\r\n\r\n")));
    ASSERT_TRUE(second.done());
    EXPECT_EQ(second.take().target, "/");
}

TEST(RequestParser, RefusesWhatIsNoRequest) {
    using namespace std::string_view_literals;
    for (const auto text :
         {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"sv, "GET / HTTP/1.1\n\n"sv, "\r\n\r\n"sv,
          "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n"sv, "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"sv,
          "GET / HTTP/2.0\r\n\r\n"sv, "GET /\r\n\r\n"sv, "GET / HTTP/1.1 \r\n\r\n"sv,
          "GET  / HTTP/1.1\r\n\r\n"sv, "GET / HTTP/1.1\r\nNo colon\r\n\r\n"sv,
          "GET / HTTP/1.1\r\n: empty\r\n\r\n"sv, "GET / HTTP/1.1\r\nA : b\r\n\r\n"sv,
          "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"sv,
          "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"sv,
          "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"sv,
          "G@T / HTTP/1.1\r\n\r\n"sv}) {
        expect_request_error(text, errc::malformed);
    }
}

TEST(RequestParser, AppliesItsLimitToTheByte) {
    constexpr std::string_view kHead = "GET / HTTP/1.1\r\nA: b\r\n\r\n";
    expect_request_error(kHead, errc::head_too_large, kHead.size() - 1);
    expect_request_error("GET /" + std::string(kLimit, 'a'), errc::head_too_large);
    RequestParser parser(kHead.size());
    EXPECT_EQ(parser.put(as_bytes(kHead)).value(), kHead.size());
    EXPECT_TRUE(parser.done());
}

TEST(ResponseParser, ReadsABodyOfKnownLength) {
    read_response("HTTP/1.1 404 Endpoint does not exist. Tracking\r\nContent-Length: 3\r\n\r\nabcX",
                  [](const Response& r) {
                      EXPECT_EQ(r.head.status, 404u);
                      EXPECT_EQ(r.head.reason, "Endpoint does not exist. Tracking");
                      EXPECT_EQ(r.body, "abc");
                      EXPECT_EQ(r.taken, 72u);
                  });
}

TEST(ResponseParser, ReadsChunksAndIgnoresTrailers) {
    constexpr std::string_view kText =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n5;ext=\"v\"\r\ndefgh\r\n0\r\nTrailer: x\r\n\r\n";
    read_response(std::string(kText) + "HTTP/1.1", [&](const Response& r) {
        EXPECT_EQ(r.body, "abcdefgh");
        EXPECT_EQ(r.taken, kText.size());
        EXPECT_EQ(r.head.headers.all().size(), 1u);
    });
}

TEST(ResponseParser, ReadsAnEmptyChunkedBody) {
    read_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  [](const Response& r) { EXPECT_EQ(r.body, ""); });
    read_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0;a\r\nT: x\r\n\r\n",
                  [](const Response& r) { EXPECT_FALSE(r.head.headers.has("T")); });
}

TEST(ResponseParser, ReadsUntilTheEndOfTheStream) {
    three_ways([](const auto& sizes) {
        ResponseParser parser(ResponseParser::Body::read, kLimit, 100);
        ASSERT_TRUE(feed(parser, "HTTP/1.0 200 OK\r\n\r\nhello world", sizes));
        EXPECT_FALSE(parser.done());
        ASSERT_TRUE(parser.put_eof());
        ASSERT_TRUE(parser.done());
        EXPECT_EQ(parser.take_body(), "hello world");
    });
}

TEST(ResponseParser, StopsBehindAHeadWithoutBody) {
    constexpr std::string_view kUpgrade =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    const auto expect_head_only = [&](const Response& r) {
        EXPECT_EQ(r.taken, kUpgrade.size());
        EXPECT_EQ(r.body, "");
    };
    const std::string text = std::string(kUpgrade) + "\x81\x01x";
    read_response(text, expect_head_only);
    read_response(text, expect_head_only, ResponseParser::Body::none);
    read_response(
        "HTTP/1.1 200 Connection established\r\nContent-Length: 900\r\n\r\nxyz",
        [](const Response& r) { EXPECT_EQ(r.body, ""); }, ResponseParser::Body::none);
    read_response("HTTP/1.1 204 No Content\r\n\r\n",
                  [](const Response& r) { EXPECT_EQ(r.head.status, 204u); });
    read_response("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
                  [](const Response& r) { EXPECT_EQ(r.head.reason, ""); });
}

// F14: interim answers are read over, a bounded number of them.
TEST(ResponseParser, ReadsOverInterimAnswers) {
    const std::string interim =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    const auto expect_final = [](const Response& r) {
        EXPECT_EQ(r.head.status, 200u);
        EXPECT_EQ(r.head.reason, "OK");
        EXPECT_EQ(r.head.headers.all().size(), 1u);
        EXPECT_EQ(r.body, "abc");
    };
    read_response(interim + "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", expect_final);
    read_response(
        interim + "HTTP/1.1 101 Switching Protocols\r\n\r\n\x81",
        [](const Response& r) { EXPECT_EQ(r.head.status, 101u); }, ResponseParser::Body::none);
    std::string many;
    for (int i = 0; i < 100; ++i) many += "HTTP/1.1 102 Processing\r\n\r\n";
    expect_response_error(many, errc::malformed);
}

// F15: what curl, Go and browsers take.
TEST(ResponseParser, ForgivesAMissingReasonAndBareLineFeeds) {
    for (const auto* text :
         {"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200\nContent-Length: 3\n\nabc",
          "HTTP/1.1 200 OK\nContent-Length: 3\r\n\nabc", "HTTP/1.0 200\n\nabc"}) {
        ResponseParser parser(ResponseParser::Body::read, kLimit, 100);
        const auto taken = parser.put(as_bytes(std::string_view(text)));
        ASSERT_TRUE(taken) << text << taken.error().message();
        EXPECT_TRUE(parser.put_eof()) << text;
        EXPECT_EQ(parser.take_head().status, 200u) << text;
        EXPECT_EQ(parser.take_body(), "abc") << text;
    }
    expect_response_error("HTTP/1.1 200 OK\rX: y\r\n\r\n", errc::malformed);
    expect_request_error("GET / HTTP/1.1\nHost: a\n\n", errc::malformed);
}

TEST(ResponseParser, AppliesTheBodyLimit) {
    expect_response_error("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", errc::body_too_large);
    expect_response_error("HTTP/1.1 200 OK\r\n\r\n" + std::string(101, 'x'), errc::body_too_large);
    expect_response_error("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n62\r\n",
                          errc::body_too_large);
    expect_response_error(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff0\r\n",
        errc::body_too_large);
}

TEST(ResponseParser, AppliesTheHeadLimitToChunkHeadersAndTrailers) {
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect_response_error(head + "3;" + std::string(kLimit, 'e'), errc::head_too_large);
    expect_response_error(head + "0\r\nT: " + std::string(kLimit, 't'), errc::head_too_large);
}

TEST(ResponseParser, RefusesWhatIsNoResponse) {
    for (const auto* text :
         {"HTTP/1.1 2000 OK\r\n\r\n", "SSH-2.0-OpenSSH_9\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabcdef\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabc"}) {
        expect_response_error(text, errc::malformed);
    }
}

TEST(ResponseParser, ReportsAnEarlyEndOfStream) {
    for (const auto* text : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"}) {
        ResponseParser parser(ResponseParser::Body::read, kLimit, 100);
        ASSERT_TRUE(parser.put(as_bytes(text)));
        const auto result = parser.put_eof();
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().code(), make_error_code(errc::truncated));
        EXPECT_FALSE(parser.done());
    }
}

}  // namespace
}  // namespace hpb::http
