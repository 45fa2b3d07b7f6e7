// Bytes of a v2 channel: any chunking gives the same frames, and whatever parses, encodes to bytes
// that parse to the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "session/frame_codec.hpp"
#include "session/handshake.hpp"

namespace {

using namespace hpb;
using namespace hpb::session;

void require(bool condition) {
    if (!condition) std::abort();
}

struct Frame {
    FrameHeader header;
    std::uint64_t offset = 0;
    std::string body;
    bool complete = false;
    bool operator==(const Frame& other) const {
        return header.type == other.header.type && header.stream == other.header.stream &&
               header.flags == other.header.flags && offset == other.offset && body == other.body &&
               complete == other.complete;
    }
};

struct Outcome {
    std::vector<Frame> frames;
    int error = 0;
    bool operator==(const Outcome&) const = default;
};

Outcome decode(ByteSpan wire, std::uint32_t seed, std::size_t largest) {
    Outcome out;
    FrameDecoder decoder{16384};
    std::minstd_rand random{seed};
    while (!wire.empty()) {
        const std::size_t n =
            std::min<std::size_t>(largest == 0 ? wire.size() : 1 + random() % largest, wire.size());
        ByteSpan in = wire.first(n);
        wire = wire.subspan(n);
        for (;;) {
            const auto piece = decoder.next(in);
            if (!piece) {
                out.error = piece.error().code().value();
                return out;
            }
            if (!*piece) break;
            const FrameDecoder::Piece& p = **piece;
            const bool data = p.header.type == FrameType::data;
            if (!data || p.begin) out.frames.push_back({p.header, p.offset, {}, false});
            Frame& frame = out.frames.back();
            require(!frame.complete && p.offset == (data ? frame.offset + frame.body.size() : 0));
            frame.body += as_text(p.body);
            frame.complete = p.end;
        }
        require(in.empty());
    }
    return out;
}

template <class T>
void again(const Result<T>& parsed, Result<T> (*parse)(ByteSpan), StreamId stream) {
    if (!parsed) return;
    ControlFrame wire = [&] {
        if constexpr (requires { encode(stream, *parsed); }) {
            return encode(stream, *parsed);
        } else {
            return encode(*parsed);
        }
    }();
    const std::string first{as_text(wire.finish())};
    const auto back = parse(as_bytes(first).subspan(kFrameHeaderSize));
    require(back.has_value());
    ControlFrame second = [&] {
        if constexpr (requires { encode(stream, *back); }) {
            return encode(stream, *back);
        } else {
            return encode(*back);
        }
    }();
    require(as_text(second.finish()) == first);
}

void parse_all(const Frame& frame) {
    const ByteSpan body = as_bytes(frame.body);
    const StreamId stream = frame.header.stream;
    again<HelloFrame>(parse_hello(body), parse_hello, stream);
    again<WelcomeFrame>(parse_welcome(body), parse_welcome, stream);
    again<RefusedHelloFrame>(parse_refused_hello(body), parse_refused_hello, stream);
    again<OpenFrame>(parse_open(body), parse_open, stream);
    again<AckFrame>(parse_ack(body), parse_ack, stream);
    const auto text = parse_code_and_text(body);
    if (text) require(text->text.size() <= kMaxText);
}

}  // namespace

/// Input: one byte of chunk size, then the channel's bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const ByteSpan wire{reinterpret_cast<const std::byte*>(data + 1), size - 1};
    const Outcome whole = decode(wire, 0, 0);
    require(whole == decode(wire, static_cast<std::uint32_t>(size), 1U + data[0] % 64U));
    require(whole == decode(wire, 0, 1));
    for (const Frame& frame : whole.frames) {
        if (frame.complete && frame.header.type != FrameType::data) parse_all(frame);
    }
    HelloReader reader;
    ByteSpan in = wire;
    static_cast<void>(reader.next(in));
    return 0;
}
