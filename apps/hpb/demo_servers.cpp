#include "hpb/demo_servers.hpp"

#include <functional>
#include <string_view>

#include "hpb/demo_page.hpp"
#include "http/message.hpp"
#include "net/acceptor.hpp"
#include "net/slab.hpp"
#include "net/socket_options.hpp"
#include "net/stream.hpp"

namespace hpb::app {
namespace {

using Session = net::awaitable<void> (*)(net::Stream);

constexpr std::size_t kMaxHead = 16 * 1024;

net::awaitable<void> echo(net::Stream stream) {
    net::set_connection_options(stream.descriptor());
    const net::Slab slab = net::Slab::take();
    for (;;) {
        const auto read = co_await stream.read_some(slab.span());
        if (!read || *read == 0) co_return;
        const ByteSpan bytes = slab.span().first(*read);
        const auto written = co_await stream.write(bytes);
        if (!written) co_return;
    }
}

std::string page_response() {
    http::ResponseHead head{.status = 200, .reason = "OK", .headers = {}};
    head.headers.add("Content-Type", "text/html; charset=utf-8");
    return http::serialize(head, kDemoPage);
}

// One request at a time; a GET has no body to skip.
net::awaitable<void> serve_page(net::Stream stream) {
    net::set_connection_options(stream.descriptor());
    const net::Slab slab = net::Slab::take();
    http::RequestParser parser(kMaxHead);
    for (;;) {
        const auto read = co_await stream.read_some(slab.span());
        if (!read || *read == 0) co_return;
        ByteSpan bytes = slab.span().first(*read);
        while (!bytes.empty()) {
            const auto taken = parser.put(bytes);
            if (!taken) co_return;
            bytes = bytes.subspan(*taken);
            if (!parser.done()) break;
            parser = http::RequestParser(kMaxHead);
            const std::string response = page_response();
            const auto written = co_await stream.write(as_bytes(response));
            if (!written) co_return;
        }
    }
}

/// @return the port; an error if this machine has none left.
Result<std::uint16_t> start(net::asio::io_context& context, Session session) {
    const net::tcp::endpoint any_port(net::asio::ip::address_v4::loopback(), 0);
    net::Acceptor::Options options;
    options.component = "demo";
    auto acceptor =
        net::Acceptor::listen(context.get_executor(), net::Endpoint(any_port), std::move(options));
    if (!acceptor) return acceptor.error();
    (*acceptor)->start([&context, session](net::Stream stream, const net::tcp::endpoint&) {
        net::spawn(context, session(std::move(stream)));
    });
    return (*acceptor)->local_endpoint().port();
}

}  // namespace

Result<std::uint16_t> start_page_server(net::asio::io_context& context) {
    return start(context, serve_page);
}
Result<std::uint16_t> start_echo_server(net::asio::io_context& context) {
    return start(context, echo);
}

}  // namespace hpb::app
