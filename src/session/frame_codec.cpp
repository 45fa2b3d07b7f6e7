#include "session/frame_codec.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hpb::session {
namespace {

constexpr std::array<std::byte, 4> kMagic = {std::byte{'h'}, std::byte{'p'}, std::byte{'b'},
                                             std::byte{'2'}};

// Reads fields in order. Reading past the end gives zeros and is remembered.
class Reader {
public:
    explicit Reader(ByteSpan in) : in_(in) {}

    template <class T>
    T number() {
        const ByteSpan from = take(sizeof(T));
        return from.empty() ? T{0} : load_be<T>(from.data());
    }
    template <std::size_t N>
    void bytes(std::array<std::byte, N>& out) {
        const ByteSpan from = take(N);
        std::copy(from.begin(), from.end(), out.begin());
    }
    Parameters parameters() {
        Parameters p;
        p.keep_alive_ms = number<std::uint32_t>();
        p.grace_ms = number<std::uint32_t>();
        p.max_streams = number<std::uint32_t>();
        p.initial_credit = number<std::uint32_t>();
        p.max_frame = number<std::uint32_t>();
        return p;
    }
    ByteSpan take(std::size_t size) {
        if (size > in_.size()) {
            short_ = true;
            in_ = {};
            return {};
        }
        const ByteSpan taken = in_.first(size);
        in_ = in_.subspan(size);
        return taken;
    }
    [[nodiscard]] ByteSpan rest() const { return in_; }
    [[nodiscard]] bool is_short() const { return short_; }

private:
    ByteSpan in_;
    bool short_ = false;
};

template <class T>
Result<T> parsed(const Reader& reader, T frame) {
    if (reader.is_short()) return errc::malformed_frame;
    return frame;
}

template <class T>
Result<T> parse_number(ByteSpan payload) {
    Reader in{payload};
    const T value = in.number<T>();
    return parsed(in, value);
}

void put(ControlFrame& out, const Parameters& p) {
    out.u32(p.keep_alive_ms).u32(p.grace_ms).u32(p.max_streams).u32(p.initial_credit);
    out.u32(p.max_frame);
}

bool is_known(FrameType type) {
    switch (type) {
        case FrameType::hello:
        case FrameType::welcome:
        case FrameType::refused_hello:
        case FrameType::open:
        case FrameType::opened:
        case FrameType::refused:
        case FrameType::data:
        case FrameType::ack:
        case FrameType::reset:
        case FrameType::closed:
        case FrameType::streams:
        case FrameType::ping:
        case FrameType::pong:
        case FrameType::channel_close:
        case FrameType::end_session:
        case FrameType::channel_lost:
            return true;
    }
    return false;
}

}  // namespace

ControlFrame::ControlFrame(FrameType type, StreamId stream) {
    wire_[0] = static_cast<std::byte>(type);
    wire_[1] = {};
    store_be(wire_.data() + 4, stream.value);
}

ControlFrame& ControlFrame::bytes(ByteSpan value) {
    const std::size_t n = std::min(value.size(), wire_.size() - size_);
    std::copy_n(value.begin(), n, wire_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += n;
    return *this;
}

ControlFrame& ControlFrame::u8(std::uint8_t value) {
    const std::byte wire{value};
    return bytes({&wire, 1});
}

ControlFrame& ControlFrame::u16(std::uint16_t value) {
    std::array<std::byte, 2> wire;
    store_be(wire.data(), value);
    return bytes(wire);
}

ControlFrame& ControlFrame::u32(std::uint32_t value) {
    std::array<std::byte, 4> wire;
    store_be(wire.data(), value);
    return bytes(wire);
}

ControlFrame& ControlFrame::u64(std::uint64_t value) {
    std::array<std::byte, 8> wire;
    store_be(wire.data(), value);
    return bytes(wire);
}

ByteSpan ControlFrame::finish() {
    store_be(wire_.data() + 2, static_cast<std::uint16_t>(size_ - kFrameHeaderSize));
    return ByteSpan{wire_}.first(size_);
}

ControlFrame encode(const HelloFrame& frame) {
    ControlFrame out{FrameType::hello, {}};
    out.bytes(kMagic).u16(frame.version).u16(frame.min_version).bytes(frame.session.bytes);
    out.u64(frame.channel.value).u8(frame.resume ? 2 : 1).u8(0).u16(0);
    out.bytes(frame.nonce).bytes(frame.secret_or_proof);
    put(out, frame.parameters);
    return out;
}

ControlFrame encode(const WelcomeFrame& frame) {
    ControlFrame out{FrameType::welcome, {}};
    out.u16(frame.version).u16(0);
    put(out, frame.parameters);
    out.bytes(frame.nonce).bytes(frame.proof);
    const auto id = std::string_view{frame.listener_id}.substr(0, kMaxListenerId);
    out.u8(static_cast<std::uint8_t>(id.size())).bytes(as_bytes(id));
    return out;
}

ControlFrame encode(const RefusedHelloFrame& frame) {
    ControlFrame out{FrameType::refused_hello, {}};
    out.u16(static_cast<std::uint16_t>(frame.code)).u16(frame.version).u16(frame.min_version);
    out.bytes(as_bytes(printable(frame.text, kMaxText)));
    return out;
}

ControlFrame encode(StreamId stream, const OpenFrame& frame) {
    ControlFrame out{FrameType::open, stream};
    out.u32(static_cast<std::uint32_t>(frame.info.key)).u8(frame.info.source.family).u8(0);
    out.u16(frame.info.source.port).bytes(frame.info.source.address).u64(frame.credit);
    return out;
}

ControlFrame encode(StreamId stream, const AckFrame& frame) {
    ControlFrame out{FrameType::ack, stream};
    out.u64(frame.position).u64(frame.credit);
    return out;
}

ControlFrame encode(FrameType type, StreamId stream, std::uint16_t code, std::string_view text) {
    ControlFrame out{type, stream};
    out.u16(code).bytes(as_bytes(printable(text, kMaxText)));
    return out;
}

void encode_data_header(std::byte* out, StreamId stream, std::uint64_t offset, std::uint16_t size,
                        bool fin) {
    out[0] = static_cast<std::byte>(FrameType::data);
    out[1] = fin ? std::byte{kFlagFin} : std::byte{0};
    store_be(out + 2, static_cast<std::uint16_t>(size + 8));
    store_be(out + 4, stream.value);
    store_be(out + 8, offset);
}

Result<HelloFrame> parse_hello(ByteSpan payload) {
    Reader in{payload};
    HelloFrame frame;
    std::array<std::byte, 4> magic{};
    in.bytes(magic);
    frame.version = in.number<std::uint16_t>();
    frame.min_version = in.number<std::uint16_t>();
    in.bytes(frame.session.bytes);
    frame.channel.value = in.number<std::uint64_t>();
    const auto kind = in.number<std::uint8_t>();
    static_cast<void>(in.take(3));
    in.bytes(frame.nonce);
    in.bytes(frame.secret_or_proof);
    frame.parameters = in.parameters();
    frame.resume = kind == 2;
    if (magic != kMagic || frame.min_version > frame.version) return errc::malformed_frame;
    if (kind != 1 && kind != 2) return errc::malformed_frame;
    if (frame.channel == ChannelId{}) return errc::malformed_frame;
    return parsed(in, frame);
}

Result<WelcomeFrame> parse_welcome(ByteSpan payload) {
    Reader in{payload};
    WelcomeFrame frame;
    frame.version = in.number<std::uint16_t>();
    static_cast<void>(in.take(2));
    frame.parameters = in.parameters();
    in.bytes(frame.nonce);
    in.bytes(frame.proof);
    const auto size = in.number<std::uint8_t>();
    if (size > kMaxListenerId) return errc::malformed_frame;
    frame.listener_id = as_text(in.take(size));
    return parsed(in, std::move(frame));
}

Result<RefusedHelloFrame> parse_refused_hello(ByteSpan payload) {
    Reader in{payload};
    RefusedHelloFrame frame;
    frame.code = static_cast<HelloRefusal>(in.number<std::uint16_t>());
    frame.version = in.number<std::uint16_t>();
    frame.min_version = in.number<std::uint16_t>();
    frame.text = printable(as_text(in.rest()), kMaxText);
    return parsed(in, std::move(frame));
}

Result<OpenFrame> parse_open(ByteSpan payload) {
    Reader in{payload};
    OpenFrame frame;
    frame.info.key = static_cast<std::int32_t>(in.number<std::uint32_t>());
    frame.info.source.family = in.number<std::uint8_t>();
    static_cast<void>(in.take(1));
    frame.info.source.port = in.number<std::uint16_t>();
    in.bytes(frame.info.source.address);
    frame.credit = in.number<std::uint64_t>();
    return parsed(in, frame);
}

Result<AckFrame> parse_ack(ByteSpan payload) {
    Reader in{payload};
    AckFrame frame;
    frame.position = in.number<std::uint64_t>();
    frame.credit = in.number<std::uint64_t>();
    return parsed(in, frame);
}

Result<std::uint64_t> parse_u64(ByteSpan payload) {
    return parse_number<std::uint64_t>(payload);
}
Result<std::uint32_t> parse_u32(ByteSpan payload) {
    return parse_number<std::uint32_t>(payload);
}
Result<std::uint16_t> parse_u16(ByteSpan payload) {
    return parse_number<std::uint16_t>(payload);
}

Result<CodeAndText> parse_code_and_text(ByteSpan payload) {
    Reader in{payload};
    CodeAndText frame;
    frame.code = in.number<std::uint16_t>();
    frame.text = printable(as_text(in.rest()), kMaxText);
    return parsed(in, std::move(frame));
}

bool FrameDecoder::collect(ByteSpan& in, std::size_t upto) {
    const std::size_t n = std::min(upto - have_, in.size());
    std::copy_n(in.begin(), n, buffer_.begin() + static_cast<std::ptrdiff_t>(have_));
    have_ += n;
    in = in.subspan(n);
    return have_ == upto;
}

// The header is there: what follows it?
errc FrameDecoder::begin_frame() {
    header_.type = static_cast<FrameType>(buffer_[0]);
    header_.flags = std::to_integer<std::uint8_t>(buffer_[1]);
    header_.length = load_be<std::uint16_t>(buffer_.data() + 2);
    header_.stream.value = load_be<std::uint32_t>(buffer_.data() + 4);
    if (header_.length > max_frame_) return errc::frame_too_large;
    if (header_.type == FrameType::data) {
        if (header_.length < 8) return errc::malformed_frame;
        state_ = State::data_offset;
    } else if (is_known(header_.type)) {
        if (header_.length > kMaxControlPayload) return errc::frame_too_large;
        state_ = State::control;
    } else if ((static_cast<std::uint8_t>(header_.type) & kIgnorable) != 0) {
        left_ = header_.length;
        state_ = State::skip;
    } else {
        return errc::unknown_frame;
    }
    return errc::none;
}

FrameDecoder::Piece FrameDecoder::data_piece(ByteSpan& in) {
    const std::size_t n = std::min(left_, in.size());
    const Piece piece{.header = header_,
                      .body = in.first(n),
                      .offset = offset_,
                      .begin = state_ == State::data_begin,
                      .end = n == left_};
    in = in.subspan(n);
    offset_ += n;
    left_ -= n;
    state_ = piece.end ? State::header : State::data;
    return piece;
}

Result<std::optional<FrameDecoder::Piece>> FrameDecoder::next(ByteSpan& in) {
    for (;;) {
        switch (state_) {
            case State::header:
                if (!collect(in, kFrameHeaderSize)) return std::nullopt;
                if (const errc e = begin_frame(); e != errc::none) return e;
                break;
            case State::control: {
                if (!collect(in, kFrameHeaderSize + header_.length)) return std::nullopt;
                have_ = 0;
                state_ = State::header;
                return Piece{.header = header_,
                             .body = ByteSpan{buffer_}.subspan(kFrameHeaderSize, header_.length),
                             .end = true};
            }
            case State::data_offset:
                if (!collect(in, kDataHeaderSize)) return std::nullopt;
                have_ = 0;
                offset_ = load_be<std::uint64_t>(buffer_.data() + kFrameHeaderSize);
                left_ = header_.length - std::size_t{8};
                state_ = State::data_begin;
                return data_piece(in);
            case State::data_begin:
            case State::data:
                if (in.empty()) return std::nullopt;
                return data_piece(in);
            case State::skip: {
                const std::size_t n = std::min(left_, in.size());
                in = in.subspan(n);
                left_ -= n;
                if (left_ > 0) return std::nullopt;
                have_ = 0;
                state_ = State::header;
                break;
            }
        }
    }
}

}  // namespace hpb::session
