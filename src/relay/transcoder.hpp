#pragma once

#include "websocket/frame.hpp"

namespace hpb::relay {

/// Turns what one end of a rendezvous sent (masked frames) into what the other end gets (unmasked
/// frames), in place. Every piece that arrives goes on at once as a frame of its own, so the relay
/// never holds a message, and its control frames find a gap; types and ends of messages stay (RFC
/// 6455 section 5.4). Sans-IO; one object per direction.
class Transcoder {
public:
    /// Bytes before the input that belong to the caller too: room for a header where the input has
    /// none.
    static constexpr std::size_t kHeadRoom = websocket::kMaxHeaderSize;

    struct Step {
        enum class Kind {
            need_more,  ///< the input is used up
            output,     ///< `output` is ready to be written; call next() again behind that
            control,  ///< a Close, Ping or Pong for the relay to act on; valid until the next call
        };
        Kind kind = Kind::need_more;
        ByteSpan output;
        websocket::Opcode opcode = websocket::Opcode::close;
        ByteSpan payload;  ///< of a control frame
    };

    /// Takes the next step of `in`, which has kHeadRoom writable bytes before it, and moves `in`
    /// on. Small frames are gathered into one output. An error is final.
    [[nodiscard]] Result<Step> next(MutableByteSpan& in);

private:
    [[nodiscard]] bool add(const websocket::Decoder::Event& event);
    [[nodiscard]] Step take_output();

    websocket::Decoder decoder_{websocket::Role::server};
    bool message_open_ = false;  // a frame of the message under way has gone out
    std::byte* begin_ = nullptr;
    std::byte* end_ = nullptr;
    websocket::Decoder::Event held_;  // the frame that did not join what was gathered
};

}  // namespace hpb::relay
