#include "http/message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hpb::http {
namespace {

Headers headers_of(std::initializer_list<std::pair<const char*, const char*>> fields) {
    Headers headers;
    for (const auto& [name, value] : fields) headers.add(name, value);
    return headers;
}

TEST(Headers, LookUpIgnoresCaseAndGivesTheFirst) {
    const auto headers = headers_of({{"X-A", "1"}, {"x-a", "2"}, {"Host", "h"}});
    EXPECT_EQ(headers.get("x-A"), "1");
    EXPECT_TRUE(headers.has("HOST"));
    EXPECT_FALSE(headers.has("Hos"));
    EXPECT_EQ(headers.get("missing"), "");
    EXPECT_EQ(headers.all().size(), 3u);
}

TEST(Headers, TokensAreFoundInEveryFieldOfTheName) {
    const auto headers = headers_of({{"Connection", "keep-alive"}, {"connection", "x , UPGRADE"}});
    EXPECT_TRUE(headers.has_token("Connection", "upgrade"));
    EXPECT_TRUE(headers.has_token("Connection", "Keep-Alive"));
    EXPECT_FALSE(headers.has_token("Connection", "keep"));
    EXPECT_FALSE(headers.has_token("Upgrade", "upgrade"));
}

TEST(Serialize, RequestIsWrittenInOrder) {
    const RequestHead request{"GET", "/$hc/a?b=c", headers_of({{"Host", "h:1"}, {"X", ""}})};
    EXPECT_EQ(serialize(request), "GET /$hc/a?b=c HTTP/1.1\r\nHost: h:1\r\nX: \r\n\r\n");
}

TEST(Serialize, RequestPartsCannotAddLines) {
    const RequestHead request{"G ET\r\n", "/a b\r\nX: y\x7f",
                              headers_of({{"A", "1\r\nB: 2"}, {"C\r\nD", "3"}, {"", "4"}})};
    EXPECT_EQ(serialize(request), "GET /a%20b%0D%0AX:%20y%7F HTTP/1.1\r\nA: 1  B: 2\r\n\r\n");
}

TEST(Serialize, ResponseReasonAndValuesCannotAddLines) {
    const ResponseHead response{400,
                                "no\r\nA: b\0"
                                "c",
                                headers_of({{"A", "x\ty\nz"}})};
    EXPECT_EQ(serialize(response),
              "HTTP/1.1 400 no  A: b\r\nA: x\ty z\r\nContent-Length: 0\r\n\r\n");
}

TEST(Serialize, ResponseGetsAContentLengthWhereABodyIsPossible) {
    EXPECT_THAT(serialize(ResponseHead{200, "OK", {}}, "abc"),
                testing::EndsWith("Content-Length: 3\r\n\r\nabc"));
    EXPECT_THAT(serialize(ResponseHead{404, "", {}}),
                testing::StrEq("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    for (const unsigned status : {101u, 204u, 304u}) {
        EXPECT_THAT(serialize(ResponseHead{status, "x", {}}),
                    testing::Not(testing::HasSubstr("Content-Length")));
    }
}

TEST(Serialize, ResponseKeepsTheCallersFraming) {
    const ResponseHead head{200, "OK", headers_of({{"content-length", "10"}})};
    EXPECT_EQ(serialize(head), "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n");
    const ResponseHead chunked{200, "OK", headers_of({{"Transfer-Encoding", "chunked"}})};
    EXPECT_EQ(serialize(chunked), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(Serialize, I7WhatHasNoBodyIsSentWithoutOne) {
    EXPECT_EQ(serialize(ResponseHead{204, "", {}}, "x"), "HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_EQ(serialize(ResponseHead{304, "", {}}, "x"), "HTTP/1.1 304 Not Modified\r\n\r\n");
    EXPECT_EQ(serialize(ResponseHead{205, "", {}}, "x"),
              "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n");
}

TEST(DefaultReason, KnowsTheRegisteredOnes) {
    EXPECT_EQ(default_reason(101), "Switching Protocols");
    EXPECT_EQ(default_reason(410), "Gone");
    EXPECT_EQ(default_reason(418), "I'm a teapot");
    EXPECT_EQ(default_reason(504), "Gateway Timeout");
    EXPECT_EQ(default_reason(799), "Unknown");
}

TEST(Date, FormatsAndParsesImfFixdate) {
    EXPECT_EQ(format_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(format_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    for (const std::int64_t t : {-1ll, 0ll, 951'782'400ll, 1'767'323'045ll, 253'402'300'799ll}) {
        EXPECT_EQ(parse_date(format_date(t)), t);
    }
}

TEST(Date, ClampsToFourDigitYears) {
    EXPECT_EQ(format_date(std::numeric_limits<std::int64_t>::max()),
              "Fri, 31 Dec 9999 23:59:59 GMT");
    EXPECT_EQ(format_date(std::numeric_limits<std::int64_t>::min()),
              "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST(Date, RefusesOtherForms) {
    for (const auto* text : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                             "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
                             "Sun, +6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:61 GMT"}) {
        EXPECT_EQ(parse_date(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace hpb::http
