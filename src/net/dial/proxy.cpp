#include "net/dial/proxy.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "crypto/crypto.hpp"
#include "http/message.hpp"
#include "http/page_text.hpp"
#include "net/endpoint.hpp"
#include "net/slab.hpp"
#include "ops/limits.hpp"

namespace hpb::net {
namespace {

constexpr std::size_t kMaxProxyHead = 16 * 1024;
/// Of a page that explains a refusal, as much as is read and as long as is waited for it.
constexpr std::size_t kMaxPage = 16 * 1024;
constexpr std::chrono::milliseconds kPageLimit{300};
constexpr std::chrono::milliseconds kLoginPoll{20};
constexpr std::size_t kMaxSchemes = 200;

std::string name_of(const Proxy& proxy) {
    return "proxy " + host_port(proxy.host, proxy.port);
}

/// What is known of one user and password at one proxy.
struct Login {
    bool accepted = false;
    bool trying = false;
    Clock::time_point refused_until;
    std::chrono::minutes pause{0};
};

struct Logins {
    std::mutex mutex;
    std::map<std::string, Login> known;  // as many as the configuration has
    static Logins& instance() {
        static Logins logins;
        return logins;
    }
    Login& of(const Proxy& proxy) {
        const std::string login = proxy.user + ":" + proxy.password;
        return known[host_port(proxy.host, proxy.port) + " " +
                     std::to_string(std::hash<std::string>()(login))];
    }
};

void on_login_refused(const Proxy& proxy) {
    Logins& logins = Logins::instance();
    const std::lock_guard lock(logins.mutex);
    Login& login = logins.of(proxy);
    login.trying = login.accepted = false;
    login.pause = std::clamp(login.pause * 2, kRefusedLogin, kLongestRefusedLogin);
    login.refused_until = Clock::now() + login.pause;
}

void on_login_accepted(const Proxy& proxy) {
    Logins& logins = Logins::instance();
    const std::lock_guard lock(logins.mutex);
    Login& login = logins.of(proxy);
    login = {};
    login.accepted = true;
}

/// "Negotiate, NTLM", from all Proxy-Authenticate headers.
std::string offered_schemes(const http::Headers& headers) {
    std::string schemes;
    for (const auto& header : headers.all()) {
        if (to_lower(header.name) != "proxy-authenticate") continue;
        // A challenge begins with its scheme; parameters have "=" (RFC 9110 section 11.6.1).
        for (std::string_view rest = header.value; !rest.empty();) {
            const auto comma = std::min(rest.find(','), rest.size());
            auto part = rest.substr(0, comma);
            rest.remove_prefix(std::min(comma + 1, rest.size()));
            part.remove_prefix(std::min(part.find_first_not_of(" \t"), part.size()));
            const auto scheme = part.substr(0, part.find_first_of(" \t"));
            if (scheme.empty() || scheme.find_first_of("=\"") != std::string_view::npos) continue;
            schemes += (schemes.empty() ? "" : ", ") + std::string(scheme);
        }
    }
    return printable(schemes.substr(0, kMaxSchemes));
}

std::string explain_407(const Proxy& proxy, const http::ResponseHead& answer,
                        const std::string& status) {
    const std::string schemes = offered_schemes(answer.headers);
    const std::string lower = to_lower(schemes);
    if (!schemes.empty() && lower.find("basic") == std::string::npos) {
        return name_of(proxy) + " offers authentication by " + schemes +
               " only, and hpb speaks Basic (" + status +
               "); ask for an exception for the relay, or put an authenticating proxy before it, "
               "such "
               "as cntlm or px";
    }
    if (!proxy.user.empty()) {
        return name_of(proxy) + " refused the user or password (" + status +
               "); check the user and password in the proxy's URL; they will not be tried again "
               "for "
               "some minutes";
    }
    return name_of(proxy) + " requires a user and password (" + status +
           "); put them into the proxy's URL: http://user:password@host:port";
}

std::string host_of(std::string_view location) {
    const auto scheme = location.find("://");
    if (scheme == std::string_view::npos) return "";
    location.remove_prefix(scheme + 3);
    location = location.substr(0, location.find_first_of("/?#"));
    const auto user = location.rfind('@');
    if (user != std::string_view::npos) location.remove_prefix(user + 1);
    return printable(location.substr(0, 253));
}

/// The beginning of the page that came with a refusal. @param page  what is there already.
awaitable<std::string> read_page(Stream& stream, std::string page) {
    Deadline deadline(stream, kPageLimit);
    const Slab slab = Slab::take();
    while (page.size() < kMaxPage) {
        const auto read = co_await stream.read_some(slab.span());
        if (!read || *read == 0) break;
        page += as_text(slab.span().first(*read));
    }
    co_return http::page_text(page);
}

struct Answer {
    http::ResponseHead head;
    std::string behind;  ///< what came in one piece with it
};

bool begins_like_http(ByteSpan answer) {
    constexpr std::string_view kStart = "HTTP/";
    return kStart.starts_with(as_text(answer).substr(0, kStart.size()));
}

/// What answers in place of an HTTP proxy.
Error no_http(ByteSpan answer) {
    const auto code = make_error_code(http::errc::malformed);
    constexpr std::byte kSocks5{5};
    constexpr std::byte kTlsAlert{21};
    constexpr std::byte kTlsHandshake{22};
    const std::byte first = answer.front();
    const auto line = as_text(answer).substr(0, as_text(answer).find_first_of("\r\n"));
    if (first == kTlsAlert || first == kTlsHandshake)
        return {code,
                "speaks TLS on this port, and hpb speaks to proxies without; use the "
                "port on which it takes plain HTTP"};
    if (first == kSocks5 || first == std::byte{0})
        return {code, "is a SOCKS proxy, and hpb uses HTTP proxies (CONNECT)"};
    return {code, "does not answer as an HTTP proxy ('" + printable(line, 40) + "')"};
}

awaitable<Result<Answer>> read_answer(Stream& stream) {
    http::ResponseParser parser(http::ResponseParser::Body::none, kMaxProxyHead, 0);
    // Byte by byte is not needed: nothing may follow a granting head before we speak.
    const Slab slab = Slab::take();
    bool at_the_start = true;
    for (;;) {
        const auto read = co_await stream.read_some(slab.span());
        if (!read) co_return read.error();
        if (*read == 0)
            co_return Error(asio::error::eof,
                            "closed the connection without an answer; check that it is an HTTP "
                            "proxy, and lets CONNECT through to that port");
        const ByteSpan bytes = slab.span().first(*read);
        // A server that speaks another protocol may wait for more before it hangs up.
        if (std::exchange(at_the_start, false) && !begins_like_http(bytes))
            co_return no_http(bytes);
        const auto taken = parser.put(bytes);
        if (!taken) co_return taken.error();
        if (!parser.done()) continue;
        Answer answer{parser.take_head(), {}};
        answer.behind = as_text(bytes.subspan(*taken));
        co_return std::move(answer);
    }
}

std::string connect_request(const Proxy& proxy, const std::string& where) {
    http::RequestHead request;
    request.method = "CONNECT";
    request.target = where;
    request.headers.add("Host", where);
    if (!proxy.user.empty()) {
        const std::string login = proxy.user + ":" + proxy.password;
        request.headers.add("Proxy-Authorization",
                            "Basic " + crypto::base64_encode(as_bytes(login)));
    }
    return http::serialize(request);
}

awaitable<Error> explain_refusal(Stream& stream, const Proxy& proxy, const std::string& where,
                                 Answer answer) {
    const http::ResponseHead& head = answer.head;
    const std::string status =
        std::to_string(head.status) + (head.reason.empty() ? "" : " " + printable(head.reason));
    if (head.status == 407) co_return Error(errc::not_permitted, explain_407(proxy, head, status));
    std::string text = name_of(proxy) + " refused the connection to " + where + ": " + status;
    if (head.status / 100 == 3) {
        const std::string host = host_of(head.headers.get("Location"));
        text += (host.empty() ? "" : ", to " + host) + " (a captive portal or a policy)";
        co_return Error(errc::not_permitted, std::move(text));
    }
    const std::string page = co_await read_page(stream, std::move(answer.behind));
    if (!page.empty()) text += ", \"" + page + "\"";
    if (head.status == 403 || head.status == 200 || head.status == 511)
        text += " (a captive portal or a policy)";
    co_return Error(errc::not_permitted, std::move(text));
}

}  // namespace

awaitable<Result<void>> wait_for_login(const Proxy& proxy, Clock::time_point deadline) {
    if (proxy.user.empty()) co_return Result<void>();
    Logins& logins = Logins::instance();
    for (;;) {
        const auto now = Clock::now();
        {
            const std::lock_guard lock(logins.mutex);
            Login& login = logins.of(proxy);
            if (now < login.refused_until) {
                ops::reached(ops::Limit::refused_logins);
                const auto left =
                    std::chrono::ceil<std::chrono::seconds>(login.refused_until - now);
                co_return Error(errc::not_permitted,
                                name_of(proxy) +
                                    " refused the user or password; they will be tried again in " +
                                    std::to_string(left.count()) +
                                    " s; check the user and password in the proxy's URL");
            }
            if (login.accepted || now >= deadline) co_return Result<void>();
            if (!login.trying) {
                login.trying = true;
                co_return Result<void>();
            }
        }
        co_await sleep_for(kLoginPoll);
    }
}

void give_up_login(const Proxy& proxy) {
    if (proxy.user.empty()) return;
    Logins& logins = Logins::instance();
    const std::lock_guard lock(logins.mutex);
    logins.of(proxy).trying = false;
}

awaitable<Result<void>> connect_through(Stream& stream, const Proxy& proxy, std::string where) {
    const std::string request = connect_request(proxy, where);
    const auto sent = co_await stream.write(as_bytes(request));
    if (!sent) co_return sent.error().with_context(name_of(proxy));
    auto answer = co_await read_answer(stream);
    if (!answer) co_return answer.error().with_context(name_of(proxy));
    const bool refused = answer->head.status == 407;
    if (!proxy.user.empty()) refused ? on_login_refused(proxy) : on_login_accepted(proxy);
    if (answer->head.status / 100 == 2) co_return Result<void>();
    co_return co_await explain_refusal(stream, proxy, where, std::move(*answer));
}

}  // namespace hpb::net
