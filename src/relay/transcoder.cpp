#include "relay/transcoder.hpp"

namespace hpb::relay {
namespace {

using Kind = websocket::Decoder::Kind;

/// Moving a payload this small next to its neighbour costs less than a write of its own.
constexpr std::size_t kGatherLimit = 4096;

Transcoder::Step control_step(const websocket::Decoder::Event& event) {
    return {.kind = Transcoder::Step::Kind::control,
            .output = {},
            .opcode = event.opcode,
            .payload = event.payload};
}

}  // namespace

Result<Transcoder::Step> Transcoder::next(MutableByteSpan& in) {
    if (held_.kind == Kind::data) {
        (void)add(std::exchange(held_, {}));
    } else if (held_.kind == Kind::control) {
        const auto control = std::exchange(held_, {});
        return control_step(control);
    }
    while (!in.empty()) {
        const auto event = decoder_.next(in);
        if (!event) return event.error();
        if (event->kind == Kind::need_more) break;
        if (event->kind == Kind::control) {
            if (begin_ == nullptr) {
                return control_step(*event);
            }
            held_ = *event;
            return take_output();
        }
        if (!add(*event)) {
            held_ = *event;
            return take_output();
        }
    }
    return begin_ != nullptr ? take_output() : Step{};
}

// Puts a frame around the piece. @return false if that has to wait until the gathered output is
// out.
bool Transcoder::add(const websocket::Decoder::Event& event) {
    // An empty piece within a message says nothing, and some receivers would take it for the end.
    if (event.payload.empty() && !event.message_end) return true;
    const bool first = begin_ == nullptr;
    if (!first && event.payload.size() > kGatherLimit) return false;

    const websocket::FrameHeader header{
        .fin = event.message_end,
        .opcode = message_open_ ? websocket::Opcode::continuation : event.opcode,
        .masked = false,
        .length = event.payload.size()};
    // The masked header that stood here was longer than this one; a piece without one can only be
    // the first of the input, where the head room is.
    const std::size_t size = websocket::header_size(header.length, false);
    if (first) {
        begin_ = event.payload.data() - size;
        websocket::encode_header(begin_, header);
        end_ = event.payload.data() + event.payload.size();
    } else {
        websocket::encode_header(end_, header);
        std::memmove(end_ + size, event.payload.data(), event.payload.size());
        end_ += size + event.payload.size();
    }
    message_open_ = !event.message_end;
    return true;
}

Transcoder::Step Transcoder::take_output() {
    const ByteSpan output(begin_, end_);
    begin_ = nullptr;
    end_ = nullptr;
    return Step{.kind = Step::Kind::output, .output = output, .payload = {}};
}

}  // namespace hpb::relay
