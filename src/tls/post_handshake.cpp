#include "tls/post_handshake.hpp"

#include <algorithm>

#include "tls/record.hpp"

namespace hpb::tls {
namespace {

constexpr std::byte kNewSessionTicket{4};
constexpr std::byte kKeyUpdateType{24};
constexpr std::size_t kHead = 4;

}  // namespace

Result<PostHandshake::Found> PostHandshake::next(ByteSpan& in) {
    while (!in.empty()) {
        const std::size_t skipped = std::min(skip_, in.size());
        skip_ -= skipped;
        in = in.subspan(skipped);
        while (have_ < kHead && !in.empty()) {
            head_[have_++] = in.front();
            in = in.subspan(1);
        }
        if (have_ < kHead) break;
        const std::size_t size = (std::to_integer<std::size_t>(head_[1]) << 16) |
                                 (std::to_integer<std::size_t>(head_[2]) << 8) |
                                 std::to_integer<std::size_t>(head_[3]);
        if (head_[0] == kNewSessionTicket) {
            have_ = 0;
            skip_ = size;
            continue;
        }
        if (head_[0] != kKeyUpdateType || size != 1) return errc::unexpected_record;
        if (in.empty()) break;
        const std::byte request = in.front();
        in = in.subspan(1);
        have_ = 0;
        if (request > std::byte{1} || !in.empty()) return errc::unexpected_record;
        return request == std::byte{1} ? Found::key_update_requested : Found::key_update;
    }
    return Found::nothing;
}

}  // namespace hpb::tls
