// Frames from a peer: any chunking gives the same messages, and what was understood can be sent on.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "websocket/frame.hpp"

namespace {

using namespace hpb;
using namespace hpb::websocket;

void require(bool condition) {
    if (!condition) std::abort();
}

struct Item {
    Opcode opcode = Opcode::continuation;
    std::string payload;
    bool operator==(const Item&) const = default;
};

struct Outcome {
    std::vector<Item> items;
    std::string open;  // payload of the message that had not ended
    boost::system::error_code error;
    bool operator==(const Outcome&) const = default;
};

// Takes every event of one chunk. @return false after an error.
bool drain(Decoder& decoder, MutableByteSpan in, Outcome& out, bool& in_message) {
    for (;;) {
        const auto event = decoder.next(in);
        if (!event) {
            out.error = event.error().code();
            static_cast<void>(close_code_for(event.error()));
            return false;
        }
        switch (event->kind) {
            case Decoder::Kind::need_more:
                require(in.empty());
                return true;
            case Decoder::Kind::control:
                require(is_control(event->opcode) && event->payload.size() <= kMaxControlPayload);
                out.items.push_back({event->opcode, std::string(as_text(event->payload))});
                break;
            case Decoder::Kind::data:
                require(event->opcode == Opcode::text || event->opcode == Opcode::binary);
                require(event->message_start != in_message);
                in_message = !event->message_end;
                out.open += as_text(event->payload);
                if (event->message_end) {
                    out.items.push_back({event->opcode, std::exchange(out.open, {})});
                }
                break;
        }
    }
}

Outcome decode(std::vector<std::byte> bytes, Role self, std::uint32_t seed, std::size_t largest) {
    Outcome out;
    Decoder decoder{self};
    std::minstd_rand random{seed};
    bool in_message = false;
    for (MutableByteSpan rest = bytes; !rest.empty();) {
        const std::size_t n =
            std::min<std::size_t>(largest == 0 ? rest.size() : 1 + random() % largest, rest.size());
        if (!drain(decoder, rest.first(n), out, in_message)) break;
        rest = rest.subspan(n);
    }
    return out;
}

void append(std::vector<std::byte>& wire, Opcode opcode, bool fin, ByteSpan payload, Role sender) {
    constexpr MaskKey kKey = {std::byte{0xa5}, std::byte{0}, std::byte{0xff}, std::byte{0x11}};
    const FrameHeader header{.fin = fin,
                             .opcode = opcode,
                             .masked = sender == Role::client,
                             .mask = kKey,
                             .length = payload.size()};
    std::array<std::byte, kMaxHeaderSize> head{};
    const std::size_t size = encode_header(head.data(), header);
    require(size == header_size(header.length, header.masked));
    wire.insert(wire.end(), head.begin(), head.begin() + static_cast<std::ptrdiff_t>(size));
    const std::size_t at = wire.size();
    wire.insert(wire.end(), payload.begin(), payload.end());
    if (header.masked) apply_mask(MutableByteSpan{wire}.subspan(at), kKey);
}

// What was decoded, sent on to a peer of the other role, has to be decoded as the same there.
void forward(const Outcome& outcome, Role receiver) {
    const Role sender = receiver == Role::server ? Role::client : Role::server;
    std::vector<std::byte> wire;
    for (const auto& [opcode, payload] : outcome.items) {
        const auto bytes = as_bytes(payload);
        if (is_control(opcode)) {
            const std::string frame = encode_control(opcode, bytes, sender, {});
            wire.insert(wire.end(), as_bytes(frame).begin(), as_bytes(frame).end());
            continue;
        }
        const std::size_t cut = payload.size() / 2;
        append(wire, opcode, false, bytes.first(cut), sender);
        append(wire, Opcode::continuation, true, bytes.subspan(cut), sender);
    }
    const Outcome got = decode(std::move(wire), receiver, 0, 0);
    require(!got.error && got.items == outcome.items);
}

void check_close_payload(const Item& item) {
    const auto close = parse_close_payload(as_bytes(item.payload));
    if (close) require(encode_close_payload(close->code, close->reason) == item.payload);
}

}  // namespace

/// Input: one byte of role, one of chunk size, then the wire.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const Role self = (data[0] & 1) != 0 ? Role::server : Role::client;
    const std::size_t largest = 1U + data[1] % 64U;
    const auto* from = reinterpret_cast<const std::byte*>(data + 2);
    const std::vector<std::byte> wire(from, from + (size - 2));

    const Outcome whole = decode(wire, self, 0, 0);
    require(whole == decode(wire, self, static_cast<std::uint32_t>(size), largest));
    require(whole == decode(wire, self, 0, 1));
    forward(whole, Role::client);
    forward(whole, Role::server);
    for (const auto& item : whole.items) {
        if (item.opcode == Opcode::close) check_close_payload(item);
    }
    return 0;
}
