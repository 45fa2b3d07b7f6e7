#pragma once

#include "websocket/frame.hpp"

namespace hpb::relay {

/// Converts masked frames from one end of a rendezvous into unmasked frames for the other, in
/// place. Every piece is forwarded at once as a frame of its own, so the relay never buffers a
/// message, and can insert control frames; message types and boundaries are preserved (RFC 6455
/// section 5.4). Sans-IO; one object per direction.
class Transcoder {
public:
    /// Writable bytes before the input: room for a header if the input has none.
    static constexpr std::size_t kHeadRoom = websocket::kMaxHeaderSize;

    struct Step {
        enum class Kind {
            need_more,  ///< the input is used up
            output,     ///< `output` is ready to be written; then call next() again
            control,  ///< a Close, Ping or Pong for the relay to handle; valid until the next call
        };
        Kind kind = Kind::need_more;
        ByteSpan output;
        websocket::Opcode opcode = websocket::Opcode::close;
        ByteSpan payload;  ///< of a control frame
    };

    /// Processes the next step of `in`, which has kHeadRoom writable bytes before it, and advances
    /// `in`. Small frames are gathered into one output. An error is final.
    [[nodiscard]] Result<Step> next(MutableByteSpan& in);

private:
    [[nodiscard]] bool add(const websocket::Decoder::Event& event);
    [[nodiscard]] Step take_output();

    websocket::Decoder decoder_{websocket::Role::server};
    bool message_open_ = false;  // a frame of the current message was already sent
    std::byte* begin_ = nullptr;
    std::byte* end_ = nullptr;
    websocket::Decoder::Event held_;  // the frame that did not join what was gathered
};

}  // namespace hpb::relay
