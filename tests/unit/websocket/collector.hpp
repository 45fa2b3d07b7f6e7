// Decodes a whole input in a chosen chunking and puts messages together again.
#pragma once

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "websocket/frame.hpp"

namespace hpb::websocket {

/// A whole message or a control frame.
struct Item {
    Opcode opcode = Opcode::binary;
    std::string payload;
    bool operator==(const Item&) const = default;
};

struct Collected {
    std::vector<Item> items;  ///< in the order in which they were complete
    std::optional<boost::system::error_code> error;
    bool consistent = true;  ///< every message had one start and one end, in this order
    std::string open;        ///< payload of the message that had not ended
    bool operator==(const Collected&) const = default;
};

enum class Chunking { whole, byte_by_byte, random };

inline Collected decode(std::vector<std::byte> bytes, Role self, Chunking chunking, unsigned seed) {
    Collected out;
    Decoder decoder{self};
    std::mt19937 random{seed};
    bool in_message = false;
    for (MutableByteSpan rest = bytes; !rest.empty() && !out.error;) {
        const std::size_t wanted = chunking == Chunking::whole          ? rest.size()
                                   : chunking == Chunking::byte_by_byte ? 1
                                                                        : 1 + random() % 40;
        MutableByteSpan in = rest.first(std::min(wanted, rest.size()));
        rest = rest.subspan(in.size());
        for (;;) {
            const auto event = decoder.next(in);
            if (!event) {
                out.error = event.error().code();
                break;
            }
            if (event->kind == Decoder::Kind::need_more) {
                out.consistent = out.consistent && in.empty();
                break;
            }
            if (event->kind == Decoder::Kind::control) {
                out.items.push_back({event->opcode, std::string(as_text(event->payload))});
                continue;
            }
            out.consistent = out.consistent && event->message_start != in_message;
            out.open += as_text(event->payload);
            in_message = !event->message_end;
            if (event->message_end)
                out.items.push_back({event->opcode, std::exchange(out.open, {})});
        }
        out.consistent = out.consistent && (!in_message || decoder.in_message());
    }
    return out;
}

}  // namespace hpb::websocket
