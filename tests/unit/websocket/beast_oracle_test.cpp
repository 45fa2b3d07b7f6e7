// Boost.Beast's WebSocket, an implementation of the standard that is not ours, at the other end of
// an in-memory stream: what it sends we must understand, and what we send it must.
#include <gtest/gtest.h>

#include <boost/asio/buffers_iterator.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/_experimental/test/stream.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <random>
#include <string>

#include "unit/websocket/collector.hpp"
#include "websocket/frame.hpp"
#include "websocket/handshake.hpp"

namespace hpb::websocket {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

constexpr MaskKey kKey = {std::byte{1}, std::byte{0x80}, std::byte{0xff}, std::byte{0}};

class BeastOracle : public ::testing::TestWithParam<Role> {
protected:
    // Beast plays the other role than ours; the HTTP heads are ours in both directions.
    void SetUp() override {
        mine_.connect(theirs_.next_layer());
        boost::system::error_code failure = asio::error::would_block;
        const auto done = [&](boost::system::error_code error) { failure = error; };
        if (GetParam() == Role::server) {
            theirs_.async_handshake("relay", "/$hc/simple", done);
            io_.poll();
            http::RequestParser parser{8192};
            const std::string head = take_sent();
            ASSERT_TRUE(parser.put(as_bytes(head)));
            ASSERT_TRUE(parser.done());
            const auto request = parser.take();
            ASSERT_TRUE(check_upgrade_request(request));
            send(http::serialize(make_upgrade_response(request, "")));
            io_.restart();
            io_.poll();
        } else {
            const std::string key = make_key();
            send(http::serialize(make_upgrade_request("relay", "/$hc/simple", key, {}, {})));
            theirs_.async_accept(done);
            io_.poll();
            http::ResponseParser parser{http::ResponseParser::Body::none, 8192, 0};
            const std::string head = take_sent();
            ASSERT_TRUE(parser.put(as_bytes(head)));
            ASSERT_TRUE(parser.done());
            const auto checked = check_upgrade_response(parser.take_head(), key, {});
            ASSERT_TRUE(checked) << checked.error().message();
        }
        ASSERT_FALSE(failure) << failure.message();
    }

    // Everything Beast has written since the last call.
    std::string take_sent() {
        const auto bytes = mine_.buffer().data();
        std::string out(asio::buffers_begin(bytes), asio::buffers_end(bytes));
        mine_.buffer().consume(out.size());
        return out;
    }

    void send(std::string_view bytes) { asio::write(mine_, asio::buffer(bytes)); }

    void send_frame(Opcode opcode, bool fin, std::string_view payload) {
        const bool masked = GetParam() == Role::client;
        std::string frame(kMaxHeaderSize + payload.size(), '\0');
        auto* out = reinterpret_cast<std::byte*>(frame.data());
        const std::size_t size = encode_header(out, {.fin = fin,
                                                     .opcode = opcode,
                                                     .masked = masked,
                                                     .mask = kKey,
                                                     .length = payload.size()});
        std::ranges::copy(as_bytes(payload), out + size);
        if (masked) apply_mask({out + size, payload.size()}, kKey);
        send(frame.substr(0, size + payload.size()));
    }

    std::string payload_of(std::size_t size) {
        std::string out(size, '\0');
        for (auto& c : out) c = static_cast<char>(random_());
        return out;
    }

    asio::io_context io_;
    beast::websocket::stream<beast::test::stream> theirs_{io_};
    beast::test::stream mine_{io_};
    std::mt19937 random_{4711};
};

constexpr std::size_t kSizes[] = {0, 1, 125, 126, 127, 4096, 65535, 65536, 70'001};

TEST_P(BeastOracle, UnderstandsWhatWeSend) {
    theirs_.auto_fragment(false);
    for (const std::size_t size : kSizes) {
        const std::string payload = payload_of(size);
        const std::size_t cut = size / 3;
        send_frame(Opcode::binary, false, payload.substr(0, cut));
        send(encode_control(Opcode::ping, as_bytes("between"), GetParam(), kKey));
        send_frame(Opcode::continuation, true, payload.substr(cut));
        beast::flat_buffer message;
        theirs_.read(message);
        EXPECT_TRUE(theirs_.got_binary());
        EXPECT_TRUE(beast::buffers_to_string(message.data()) == payload) << size;
    }
    const auto close = encode_close_payload(1001, "going away \xe2\x82\xac");
    send(encode_control(Opcode::close, as_bytes(close), GetParam(), kKey));
    beast::flat_buffer message;
    boost::system::error_code error;
    theirs_.read(message, error);
    EXPECT_EQ(error, beast::websocket::error::closed);
    EXPECT_EQ(theirs_.reason().code, beast::websocket::close_code::going_away);
    EXPECT_EQ(theirs_.reason().reason, "going away \xe2\x82\xac");
}

TEST_P(BeastOracle, IsUnderstoodByUs) {
    theirs_.binary(true);
    theirs_.write_buffer_bytes(1000);
    for (const bool fragment : {false, true}) {
        theirs_.auto_fragment(fragment);
        for (const std::size_t size : kSizes) {
            const std::string payload = payload_of(size);
            theirs_.write(asio::buffer(payload));
            theirs_.ping("still there");
            const std::string sent = take_sent();
            const auto bytes = as_bytes(sent);
            for (const auto chunking :
                 {Chunking::whole, Chunking::byte_by_byte, Chunking::random}) {
                const auto got = decode({bytes.begin(), bytes.end()}, GetParam(), chunking, 5);
                EXPECT_FALSE(got.error);
                EXPECT_TRUE(got.items == (std::vector<Item>{{Opcode::binary, payload},
                                                            {Opcode::ping, "still there"}}))
                    << size;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(AsEitherRole, BeastOracle, ::testing::Values(Role::client, Role::server),
                         [](const auto& role) {
                             return role.param == Role::client ? "Client" : "Server";
                         });

}  // namespace
}  // namespace hpb::websocket
