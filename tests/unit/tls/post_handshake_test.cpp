#include "tls/post_handshake.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tls/record.hpp"

namespace hpb::tls {
namespace {

using Found = PostHandshake::Found;

std::vector<std::byte> bytes(std::initializer_list<int> values) {
    std::vector<std::byte> out;
    for (const int value : values) out.push_back(static_cast<std::byte>(value));
    return out;
}

TEST(PostHandshake, FindsKeyUpdates) {
    PostHandshake messages;
    const auto plain = bytes({24, 0, 0, 1, 0});
    ByteSpan in(plain);
    EXPECT_EQ(messages.next(in).value(), Found::key_update);
    EXPECT_TRUE(in.empty());
    const auto asking = bytes({24, 0, 0, 1, 1});
    in = asking;
    EXPECT_EQ(messages.next(in).value(), Found::key_update_requested);
}

TEST(PostHandshake, SkipsTicketsInAnyChunking) {
    auto stream = bytes({4, 0, 1, 0});
    stream.resize(stream.size() + 256, std::byte{24});  // looks like KeyUpdates, is a ticket
    for (const int value : {24, 0, 0, 1, 1}) stream.push_back(static_cast<std::byte>(value));
    for (const std::size_t chunk : {1UL, 2UL, 3UL, 7UL, stream.size()}) {
        PostHandshake messages;
        int found = 0;
        for (std::size_t at = 0; at < stream.size(); at += chunk) {
            ByteSpan in = ByteSpan(stream).subspan(at, std::min(chunk, stream.size() - at));
            found += messages.next(in).value() == Found::key_update_requested ? 1 : 0;
            EXPECT_TRUE(in.empty());
        }
        EXPECT_EQ(found, 1) << chunk;
    }
}

TEST(PostHandshake, RefusesWhatMayNotCome) {
    for (const auto& bad : {bytes({1, 0, 0, 0}),         // ClientHello
                            bytes({13, 0, 0, 2, 0, 0}),  // CertificateRequest
                            bytes({24, 0, 0, 2, 0, 0}),  // KeyUpdate of another size
                            bytes({24, 0, 0, 1, 2}),     // ... that asks for what is not defined
                            bytes({24, 0, 0, 1, 0, 4, 0})}) {  // ... in the middle of a record
        PostHandshake messages;
        ByteSpan in(bad);
        const auto found = messages.next(in);
        ASSERT_FALSE(found);
        EXPECT_EQ(found.error().code(), make_error_code(errc::unexpected_record));
    }
}

}  // namespace
}  // namespace hpb::tls
