#include "v1/frame.hpp"

#include <algorithm>

#include "crypto/crypto.hpp"

namespace hpb::v1 {

std::string ConnectionId::to_string() const {
    // The first three fields are little-endian on the wire and big-endian on display.
    constexpr std::array<std::size_t, 16> kDisplay = {3, 2, 1,  0,  5,  4,  7,  6,
                                                      8, 9, 10, 11, 12, 13, 14, 15};
    std::array<std::byte, 16> shown{};
    std::transform(kDisplay.begin(), kDisplay.end(), shown.begin(),
                   [&](std::size_t i) { return bytes[i]; });
    return crypto::hex(shown);
}

ConnectionId ConnectionId::random() {
    ConnectionId id;
    crypto::random_bytes(id.bytes);
    // Version 4 stands in the third field's high byte, wire offset 7; the variant in offset 8.
    id.bytes[7] = (id.bytes[7] & std::byte{0x0f}) | std::byte{0x40};
    id.bytes[8] = (id.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
    return id;
}

std::array<std::byte, kPreambleSize> encode_preamble(std::int32_t configuration_key) {
    std::array<std::byte, kPreambleSize> out{};
    store_le(out.data() + 2, static_cast<std::uint32_t>(configuration_key));
    return out;
}

void encode_frame_header(std::byte* out, const ConnectionId& id, std::size_t payload_size) {
    std::copy(id.bytes.begin(), id.bytes.end(), out);
    store_le(out + 16, static_cast<std::uint16_t>(payload_size));
}

std::optional<std::int32_t> PreambleDecoder::next(ByteSpan& in) {
    const std::size_t n = std::min(kPreambleSize - have_, in.size());
    std::copy_n(in.begin(), n, bytes_.begin() + static_cast<std::ptrdiff_t>(have_));
    have_ += n;
    in = in.subspan(n);
    if (have_ < kPreambleSize) return std::nullopt;
    return static_cast<std::int32_t>(load_le<std::uint32_t>(bytes_.data() + 2));
}

std::optional<FrameDecoder::Piece> FrameDecoder::next(ByteSpan& in) {
    if (header_have_ < kFrameHeaderSize) {
        const std::size_t n = std::min(kFrameHeaderSize - header_have_, in.size());
        std::copy_n(in.begin(), n, header_.begin() + static_cast<std::ptrdiff_t>(header_have_));
        header_have_ += n;
        in = in.subspan(n);
        if (header_have_ < kFrameHeaderSize) return std::nullopt;
        std::copy_n(header_.begin(), 16, id_.bytes.begin());
        payload_left_ = load_le<std::uint16_t>(header_.data() + 16);
        started_ = false;
    }
    const std::size_t n = std::min(payload_left_, in.size());
    if (n == 0 && payload_left_ != 0) return std::nullopt;
    Piece piece{.id = id_,
                .payload = in.first(n),
                .frame_start = !started_,
                .frame_end = n == payload_left_};
    in = in.subspan(n);
    payload_left_ -= n;
    started_ = true;
    if (piece.frame_end) header_have_ = 0;
    return piece;
}

}  // namespace hpb::v1
