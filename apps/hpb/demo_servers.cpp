#include "hpb/demo_servers.hpp"

#include <functional>
#include <string_view>

#include "hpb/demo_page.hpp"
#include "http/message.hpp"
#include "net/slab.hpp"
#include "net/socket_options.hpp"
#include "net/stream.hpp"
#include "ops/limits.hpp"

namespace hpb::app {
namespace {

using net::tcp;
using Session = net::awaitable<void> (*)(tcp::socket);

constexpr std::size_t kMaxHead = 16 * 1024;
/// After accept() has failed for want of descriptors.
constexpr std::chrono::milliseconds kAcceptPause{100};

net::awaitable<void> echo(tcp::socket socket) {
    net::Stream stream(std::move(socket));
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
net::awaitable<void> serve_page(tcp::socket socket) {
    net::Stream stream(std::move(socket));
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

net::awaitable<void> accept_loop(std::shared_ptr<tcp::acceptor> acceptor, Session session) {
    for (;;) {
        auto [error, socket] = co_await acceptor->async_accept(net::kAsTuple);
        if (error == net::asio::error::operation_aborted) co_return;
        if (!error) {
            net::spawn(acceptor->get_executor(), session(std::move(socket)));
        } else if (error != net::asio::error::connection_aborted) {
            ops::reached(ops::Limit::failed_accepts);
            co_await net::sleep_for(kAcceptPause);
        }
    }
}

std::uint16_t start(net::asio::io_context& context, Session session) {
    const tcp::endpoint any_port(net::asio::ip::address_v4::loopback(), 0);
    auto acceptor = std::make_shared<tcp::acceptor>(context, any_port);
    const auto port = acceptor->local_endpoint().port();
    net::spawn(context, accept_loop(std::move(acceptor), session));
    return port;
}

}  // namespace

std::uint16_t start_page_server(net::asio::io_context& context) {
    return start(context, serve_page);
}
std::uint16_t start_echo_server(net::asio::io_context& context) {
    return start(context, echo);
}

}  // namespace hpb::app
