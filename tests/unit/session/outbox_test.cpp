#include "session/outbox.hpp"

#include <gmock/gmock.h>

namespace hpb::session {
namespace {

std::string text_of(Outbox& box) {
    std::string out;
    for (const ByteSpan span : box.spans()) out += as_text(span);
    return out;
}

TEST(Outbox, GivesEverythingInOrderAndForgetsWhatWasSent) {
    SlabPool pool{8};
    Outbox box;
    box.append(as_bytes("head"));
    {
        SlabRef slab = pool.take();
        std::copy_n(as_bytes("payload!").begin(), 8, slab.data());
        box.append(HeldBytes{slab, {slab.data(), 8}});
    }
    box.append(as_bytes(std::string(100, 'x')));
    EXPECT_EQ(text_of(box), "headpayload!" + std::string(100, 'x'));
    EXPECT_EQ(pool.in_use(), 1U) << "held although the stream has let go";
    box.sent(6);
    EXPECT_EQ(text_of(box), "yload!" + std::string(100, 'x'));
    box.sent(6);
    EXPECT_EQ(pool.in_use(), 0U);
    box.sent(100);
    EXPECT_TRUE(box.empty());
    EXPECT_EQ(box.free_pieces(), Outbox::kPieces);
}

TEST(Outbox, SmallFramesShareAPiece) {
    Outbox box;
    for (int i = 0; i < 8; ++i) box.append(as_bytes("12345678"));
    EXPECT_EQ(box.free_pieces(), Outbox::kPieces - 1);
    box.append(as_bytes("9"));
    EXPECT_EQ(box.free_pieces(), Outbox::kPieces - 2);
}

TEST(Outbox, WhatWasHandedOutStaysWhereItIs) {
    Outbox box;
    box.append(as_bytes("first"));
    const std::byte* before = box.spans()[0].data();
    for (int i = 0; i < 100; ++i) box.append(as_bytes(std::string(60, 'x')));
    EXPECT_EQ(box.spans()[0].data(), before);
}

}  // namespace
}  // namespace hpb::session
