#include "relay/transcoder.hpp"

#include <gtest/gtest.h>

#include <random>

namespace hpb::relay {
namespace {

using websocket::Opcode;

struct Message {
    Opcode opcode = Opcode::binary;
    std::string data;
    bool operator==(const Message&) const = default;
};

std::string frame(Opcode opcode, bool fin, std::string_view payload,
                  std::byte seed = std::byte{7}) {
    const websocket::FrameHeader header{
        .fin = fin,
        .opcode = opcode,
        .masked = true,
        .mask = {seed, std::byte{1}, std::byte{0xff}, std::byte{0x80}},
        .length = payload.size()};
    std::string out(websocket::kMaxHeaderSize + payload.size(), '\0');
    auto* bytes = reinterpret_cast<std::byte*>(out.data());
    const auto size = websocket::encode_header(bytes, header);
    websocket::copy_masked(bytes + size, as_bytes(payload), header.mask);
    out.resize(size + payload.size());
    return out;
}

/// What the far end makes of the transcoder's output, and the control frames left for the relay.
struct Outcome {
    std::vector<Message> messages;
    std::vector<Opcode> control;
    std::size_t outputs = 0;
    bool failed = false;
};

Outcome run(const std::string& wire, const std::function<std::size_t()>& next_chunk) {
    Outcome outcome;
    Transcoder transcoder;
    websocket::Decoder far_end(websocket::Role::client);
    Message open;
    std::size_t at = 0;
    while (at < wire.size() && !outcome.failed) {
        const std::size_t n = std::min(next_chunk(), wire.size() - at);
        // The head room is filled with a pattern, so that using stale bytes shows.
        std::vector<std::byte> buffer(Transcoder::kHeadRoom + n, std::byte{0xee});
        std::copy_n(reinterpret_cast<const std::byte*>(wire.data()) + at, n,
                    buffer.begin() + Transcoder::kHeadRoom);
        at += n;
        MutableByteSpan in = MutableByteSpan(buffer).subspan(Transcoder::kHeadRoom);
        for (;;) {
            const auto step = transcoder.next(in);
            if (!step) {
                outcome.failed = true;
                break;
            }
            if (step->kind == Transcoder::Step::Kind::need_more) break;
            if (step->kind == Transcoder::Step::Kind::control) {
                outcome.control.push_back(step->opcode);
                continue;
            }
            ++outcome.outputs;
            std::vector<std::byte> copy(step->output.begin(), step->output.end());
            MutableByteSpan rest = copy;
            while (!rest.empty()) {
                const auto event = far_end.next(rest);
                EXPECT_TRUE(event) << event.error().message();
                if (!event) return outcome;
                if (event->kind == websocket::Decoder::Kind::need_more) break;
                if (event->message_start) open = {event->opcode, ""};
                open.data.append(as_text(event->payload));
                if (event->message_end) outcome.messages.push_back(open);
            }
        }
    }
    return outcome;
}

TEST(Transcoder, AnyChunkingGivesTheSameMessages) {
    std::mt19937 random(20260101);
    for (int round = 0; round < 60; ++round) {
        std::string wire;
        std::vector<Message> expected;
        std::vector<Opcode> control;
        for (int m = 0; m < 8; ++m) {
            Message message{random() % 2 ? Opcode::text : Opcode::binary, ""};
            const int fragments = 1 + static_cast<int>(random() % 3);
            for (int f = 0; f < fragments; ++f) {
                constexpr std::size_t kSizes[] = {0, 1, 5, 125, 126, 300, 5000, 70000};
                const std::string part(kSizes[random() % 8], static_cast<char>('a' + f));
                wire += frame(f == 0 ? message.opcode : Opcode::continuation, f == fragments - 1,
                              part, static_cast<std::byte>(random()));
                message.data += part;
                if (random() % 4 == 0) {
                    wire += frame(Opcode::ping, true, "p");
                    control.push_back(Opcode::ping);
                }
            }
            expected.push_back(message);
        }
        for (const std::size_t largest :
             {std::size_t{1}, std::size_t{17}, std::size_t{4000}, wire.size()}) {
            if (largest == 1 && wire.size() > 20000) continue;  // byte by byte for the small ones
            const auto outcome = run(wire, [&] { return 1 + random() % largest; });
            EXPECT_EQ(outcome.messages, expected)
                << "round " << round << ", chunks up to " << largest;
            EXPECT_EQ(outcome.control, control);
        }
    }
}

TEST(Transcoder, SmallFramesLeaveTogether) {
    std::string wire;
    for (int i = 0; i < 100; ++i) wire += frame(Opcode::binary, true, "ten bytes!");
    const auto outcome = run(wire, [&] { return wire.size(); });
    EXPECT_EQ(outcome.messages.size(), 100u);
    EXPECT_EQ(outcome.outputs, 1u);
}

TEST(Transcoder, AFragmentWithoutBytesIsNotPassedOnUnlessItEndsTheMessage) {
    const std::string wire =
        frame(Opcode::binary, false, "") + frame(Opcode::continuation, false, "ab") +
        frame(Opcode::continuation, false, "") + frame(Opcode::continuation, true, "");
    const auto outcome = run(wire, [&] { return wire.size(); });
    ASSERT_EQ(outcome.messages.size(), 1u);
    EXPECT_EQ(outcome.messages[0], (Message{Opcode::binary, "ab"}));
}

TEST(Transcoder, AnEmptyMessageStaysOne) {
    const std::string wire = frame(Opcode::text, true, "");
    const auto outcome = run(wire, [&] { return wire.size(); });
    ASSERT_EQ(outcome.messages.size(), 1u);
    EXPECT_EQ(outcome.messages[0], (Message{Opcode::text, ""}));
}

TEST(Transcoder, UnmaskedFramesAreAnError) {
    std::string wire = frame(Opcode::binary, true, "x");
    wire[1] = static_cast<char>(wire[1] & 0x7f);
    EXPECT_TRUE(run(wire, [&] { return wire.size(); }).failed);
}

}  // namespace
}  // namespace hpb::relay
