#include "websocket/frame.hpp"

#include <algorithm>

#include "base/error_category.hpp"
#include "base/text.hpp"

namespace hpb::websocket {

boost::system::error_code make_error_code(errc e) {
    static const ErrorCategory category{
        "websocket", [](int value) -> const char* {
            switch (static_cast<errc>(value)) {
                case errc::reserved_bits:
                    return "WebSocket frame has reserved bits set";
                case errc::unknown_opcode:
                    return "WebSocket frame has an unknown opcode";
                case errc::bad_masking:
                    return "WebSocket frame is masked by the wrong side";
                case errc::bad_length:
                    return "WebSocket frame has an invalid length";
                case errc::bad_fragmentation:
                    return "WebSocket fragments are out of sequence";
                case errc::bad_control_frame:
                    return "WebSocket control frame is fragmented or too long";
                case errc::bad_close_payload:
                    return "WebSocket Close has an invalid code or reason";
                case errc::message_too_large:
                    return "WebSocket message is larger than allowed";
                case errc::bad_handshake:
                    return "invalid WebSocket handshake";
                case errc::handshake_refused:
                    return "WebSocket handshake refused";
            }
            return "unknown WebSocket error";
        }};
    return {static_cast<int>(e), category};
}

std::uint16_t close_code_for(const Error& error) {
    return error.code() == make_error_code(errc::message_too_large) ? 1009 : 1002;
}

std::size_t header_size(std::uint64_t length, bool masked) {
    const std::size_t base = length < 126 ? 2 : length <= 0xffff ? 4 : 10;
    return base + (masked ? 4 : 0);
}

std::size_t encode_header(std::byte* out, const FrameHeader& header) {
    out[0] = static_cast<std::byte>((header.fin ? 0x80 : 0) | static_cast<unsigned>(header.opcode));
    const unsigned mask_bit = header.masked ? 0x80 : 0;
    std::size_t size = 2;
    if (header.length < 126) {
        out[1] = static_cast<std::byte>(mask_bit | static_cast<unsigned>(header.length));
    } else if (header.length <= 0xffff) {
        out[1] = static_cast<std::byte>(mask_bit | 126u);
        store_be(out + 2, static_cast<std::uint16_t>(header.length));
        size = 4;
    } else {
        out[1] = static_cast<std::byte>(mask_bit | 127u);
        store_be(out + 2, header.length);
        size = 10;
    }
    if (header.masked) {
        std::copy(header.mask.begin(), header.mask.end(), out + size);
        size += 4;
    }
    return size;
}

void copy_masked(std::byte* to, ByteSpan from, const MaskKey& key, std::uint64_t offset) {
    // Whole blocks are loaded before they are stored, so that `to` may lie before `from`; a block
    // is what the compiler turns into a few vector instructions.
    std::array<std::byte, 8> pattern{};
    for (std::size_t i = 0; i < 8; ++i) pattern[i] = key[(offset + i) % 4];
    std::uint64_t word_key = 0;
    std::memcpy(&word_key, pattern.data(), 8);
    std::size_t at = 0;
    for (; at + 64 <= from.size(); at += 64) {
        std::array<std::uint64_t, 8> block;
        std::memcpy(block.data(), from.data() + at, 64);
        for (auto& word : block) word ^= word_key;
        std::memcpy(to + at, block.data(), 64);
    }
    for (; at + 8 <= from.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, from.data() + at, 8);
        word ^= word_key;
        std::memcpy(to + at, &word, 8);
    }
    for (; at < from.size(); ++at) to[at] = from[at] ^ pattern[at % 8];
}

void apply_mask(MutableByteSpan data, const MaskKey& key, std::uint64_t offset) {
    copy_masked(data.data(), data, key, offset);
}

std::string encode_control(Opcode opcode, ByteSpan payload, Role sender, const MaskKey& key) {
    payload = payload.first(std::min(payload.size(), kMaxControlPayload));
    const FrameHeader header{.fin = true,
                             .opcode = opcode,
                             .masked = sender == Role::client,
                             .mask = key,
                             .length = payload.size()};
    std::string out(kMaxHeaderSize + payload.size(), '\0');
    auto* bytes = reinterpret_cast<std::byte*>(out.data());
    const std::size_t size = encode_header(bytes, header);
    if (header.masked) {
        copy_masked(bytes + size, payload, key);
    } else {
        std::copy(payload.begin(), payload.end(), bytes + size);
    }
    out.resize(size + payload.size());
    return out;
}

std::string encode_close_payload(std::uint16_t code, std::string_view reason) {
    if (code == 0) return {};
    std::size_t size = std::min(reason.size(), kMaxControlPayload - 2);
    const auto is_continuation = [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
    };
    while (size < reason.size() && size > 0 && is_continuation(reason[size])) --size;
    std::string out(2, '\0');
    store_be(reinterpret_cast<std::byte*>(out.data()), code);
    out.append(reason.substr(0, size));
    return out;
}

Result<ClosePayload> parse_close_payload(ByteSpan payload) {
    if (payload.empty()) return ClosePayload{};
    if (payload.size() == 1) return errc::bad_close_payload;
    ClosePayload close{.code = load_be<std::uint16_t>(payload.data()),
                       .reason = std::string(as_text(payload.subspan(2)))};
    // RFC 6455 section 7.4: what may stand on the wire.
    const bool assigned =
        (close.code >= 1000 && close.code <= 1003) || (close.code >= 1007 && close.code <= 1014);
    const bool open_range = close.code >= 3000 && close.code <= 4999;
    if (!assigned && !open_range) return errc::bad_close_payload;
    if (!is_utf8(close.reason)) return errc::bad_close_payload;
    return close;
}

Result<Decoder::Event> Decoder::next(MutableByteSpan& in) {
    if (!in_frame_) {
        const auto complete = read_header(in);
        if (!complete) return complete.error();
        if (!*complete) return Event{};
    }
    if (is_control(frame_.opcode)) return take_control(in);
    return take_data(in);
}

// Collects a header, which may come in pieces. @return false if more input is needed.
Result<bool> Decoder::read_header(MutableByteSpan& in) {
    const auto fill_to = [&](std::size_t size) {
        const std::size_t n = std::min(size - header_have_, in.size());
        std::copy_n(in.begin(), n, header_.begin() + static_cast<std::ptrdiff_t>(header_have_));
        header_have_ += n;
        in = in.subspan(n);
        return header_have_ == size;
    };
    if (header_have_ < 2 && !fill_to(2)) return false;
    const auto first = std::to_integer<unsigned>(header_[0]);
    const auto second = std::to_integer<unsigned>(header_[1]);
    if ((first & 0x70) != 0) return errc::reserved_bits;
    const bool masked = (second & 0x80) != 0;
    if (masked != (self_ == Role::server)) return errc::bad_masking;
    const unsigned short_length = second & 0x7f;
    const std::size_t length_size = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
    const std::size_t size = 2 + length_size + (masked ? 4 : 0);
    if (!fill_to(size)) return false;

    frame_ = FrameHeader{
        .fin = (first & 0x80) != 0, .opcode = static_cast<Opcode>(first & 0x0f), .masked = masked};
    frame_.length = length_size == 2   ? load_be<std::uint16_t>(header_.data() + 2)
                    : length_size == 8 ? load_be<std::uint64_t>(header_.data() + 2)
                                       : short_length;
    const bool shortest = length_size == 0 || (length_size == 2 && frame_.length >= 126) ||
                          (length_size == 8 && frame_.length > 0xffff);
    if (!shortest || frame_.length >> 63 != 0) return errc::bad_length;
    if (masked) std::copy_n(header_.begin() + 2 + length_size, 4, frame_.mask.begin());
    if (const auto ok = check_header(); !ok) return ok.error();
    header_have_ = 0;
    frame_read_ = 0;
    in_frame_ = true;
    return true;
}

// The rules that tie a frame to the ones before it (RFC 6455 sections 5.4 and 5.5).
Result<void> Decoder::check_header() {
    switch (frame_.opcode) {
        case Opcode::continuation:
            if (!in_message()) return errc::bad_fragmentation;
            return {};
        case Opcode::text:
        case Opcode::binary:
            if (in_message()) return errc::bad_fragmentation;
            message_opcode_ = frame_.opcode;
            message_begun_ = false;
            return {};
        case Opcode::close:
        case Opcode::ping:
        case Opcode::pong:
            if (!frame_.fin || frame_.length > kMaxControlPayload) return errc::bad_control_frame;
            return {};
    }
    return errc::unknown_opcode;
}

Decoder::Event Decoder::take_data(MutableByteSpan& in) {
    const std::uint64_t left = frame_.length - frame_read_;
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left, in.size()));
    if (n == 0 && left != 0) return {};
    Event event{.kind = Kind::data, .opcode = message_opcode_, .payload = in.first(n)};
    if (frame_.masked) apply_mask(event.payload, frame_.mask, frame_read_);
    in = in.subspan(n);
    frame_read_ += n;
    event.message_start = !message_begun_;
    message_begun_ = true;
    if (n == left) {
        in_frame_ = false;
        event.message_end = frame_.fin;
        if (frame_.fin) message_opcode_ = Opcode::continuation;
    }
    return event;
}

Decoder::Event Decoder::take_control(MutableByteSpan& in) {
    const auto have = static_cast<std::size_t>(frame_read_);
    const auto size = static_cast<std::size_t>(frame_.length);
    const std::size_t n = std::min(size - have, in.size());
    std::copy_n(in.begin(), n, control_.begin() + static_cast<std::ptrdiff_t>(have));
    in = in.subspan(n);
    frame_read_ += n;
    if (frame_read_ < frame_.length) return {};
    in_frame_ = false;
    const MutableByteSpan payload{control_.data(), size};
    if (frame_.masked) apply_mask(payload, frame_.mask);
    return {.kind = Kind::control,
            .opcode = frame_.opcode,
            .message_start = true,
            .message_end = true,
            .payload = payload};
}

}  // namespace hpb::websocket
