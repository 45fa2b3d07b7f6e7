// A v1 channel from its first byte: any chunking gives the same key and frames, and encoding them
// gives the bytes back.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "v1/frame.hpp"

namespace {

using namespace hpb;
using namespace hpb::v1;

void require(bool condition) {
    if (!condition) std::abort();
}

struct Frame {
    ConnectionId id;
    std::string payload;
    bool complete = false;
    bool operator==(const Frame&) const = default;
};

struct Outcome {
    std::optional<std::int32_t> key;
    std::vector<Frame> frames;
    bool in_frame = false;
    bool operator==(const Outcome&) const = default;
};

Outcome decode(ByteSpan wire, std::uint32_t seed, std::size_t largest) {
    Outcome out;
    PreambleDecoder preamble;
    FrameDecoder decoder;
    std::minstd_rand random{seed};
    while (!wire.empty()) {
        const std::size_t n =
            std::min<std::size_t>(largest == 0 ? wire.size() : 1 + random() % largest, wire.size());
        ByteSpan in = wire.first(n);
        wire = wire.subspan(n);
        if (!out.key) out.key = preamble.next(in);
        if (!out.key) {
            require(in.empty());
            continue;
        }
        while (const auto piece = decoder.next(in)) {
            const bool open = !out.frames.empty() && !out.frames.back().complete;
            require(piece->frame_start != open);
            if (piece->frame_start) out.frames.push_back({piece->id, {}, false});
            require(out.frames.back().id == piece->id);
            out.frames.back().payload += as_text(piece->payload);
            out.frames.back().complete = piece->frame_end;
        }
        require(in.empty());
    }
    out.in_frame = decoder.in_frame();
    return out;
}

// The whole frames, encoded, are the input's bytes behind the preamble.
void check_encoding(const Outcome& outcome, ByteSpan wire) {
    if (!outcome.key) return;
    const auto preamble = encode_preamble(*outcome.key);
    require(std::ranges::equal(ByteSpan{preamble}.subspan(2, 4), wire.subspan(2, 4)));
    wire = wire.subspan(kPreambleSize);
    for (const auto& frame : outcome.frames) {
        static_cast<void>(frame.id.to_string());
        if (!frame.complete) return;
        std::array<std::byte, kFrameHeaderSize> header{};
        encode_frame_header(header.data(), frame.id, frame.payload.size());
        require(std::ranges::equal(header, wire.first(kFrameHeaderSize)));
        require(as_text(wire.subspan(kFrameHeaderSize, frame.payload.size())) == frame.payload);
        wire = wire.subspan(kFrameHeaderSize + frame.payload.size());
    }
    require(outcome.in_frame != wire.empty());
}

}  // namespace

/// Input: one byte of chunk size, then the channel's bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const ByteSpan wire{reinterpret_cast<const std::byte*>(data + 1), size - 1};
    const Outcome whole = decode(wire, 0, 0);
    require(whole == decode(wire, static_cast<std::uint32_t>(size), 1U + data[0] % 64U));
    require(whole == decode(wire, 0, 1));
    check_encoding(whole, wire);
    return 0;
}
