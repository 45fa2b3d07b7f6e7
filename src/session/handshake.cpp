#include "session/handshake.hpp"

#include <algorithm>
#include <string>

#include "crypto/crypto.hpp"

namespace hpb::session {
namespace {

// The labels keep the two ends' proofs apart: neither can be sent back as the other's.
constexpr std::string_view kClientLabel = "hpb v2 client proof";
constexpr std::string_view kServiceLabel = "hpb v2 service proof";

std::string signed_part(std::string_view label, const SessionId& session, ChannelId channel,
                        const Nonce& client_nonce) {
    std::array<std::byte, 8> number;
    store_be(number.data(), channel.value);
    std::string out{label};
    out += '\0';
    out += as_text(session.bytes);
    out += as_text(number);
    out += as_text(client_nonce);
    return out;
}

}  // namespace

Proof client_proof(const Secret& secret, const SessionId& session, ChannelId channel,
                   const Nonce& client_nonce) {
    return crypto::hmac_sha256(as_text(secret),
                               signed_part(kClientLabel, session, channel, client_nonce));
}

Proof service_proof(const Secret& secret, const SessionId& session, ChannelId channel,
                    const Nonce& client_nonce, const Nonce& service_nonce) {
    std::string data = signed_part(kServiceLabel, session, channel, client_nonce);
    data += as_text(service_nonce);
    return crypto::hmac_sha256(as_text(secret), data);
}

bool equal(const Proof& a, const Proof& b) {
    return crypto::constant_time_equal(as_text(a), as_text(b));
}

std::optional<std::uint16_t> choose_version(std::uint16_t min, std::uint16_t max) {
    const std::uint16_t best = std::min(max, kVersion);
    if (best < std::max(min, kMinVersion)) return std::nullopt;
    return best;
}

bool ReplayWindow::is_fresh(ChannelId channel) const {
    if (channel.value > highest_) return true;
    const std::uint64_t age = highest_ - channel.value;
    return age < 64 && ((seen_ >> age) & 1) == 0;
}

void ReplayWindow::mark(ChannelId channel) {
    if (channel.value > highest_) {
        const std::uint64_t step = channel.value - highest_;
        seen_ = step < 64 ? seen_ << step : 0;
        highest_ = channel.value;
    }
    seen_ |= std::uint64_t{1} << (highest_ - channel.value);
}

Result<std::optional<HelloFrame>> HelloReader::next(ByteSpan& in) {
    auto piece = decoder_.next(in);
    if (!piece) return errc::malformed_frame;
    if (!*piece) return std::nullopt;
    if ((*piece)->header.type != FrameType::hello) return errc::unexpected_frame;
    auto hello = parse_hello((*piece)->body);
    if (!hello) return hello.error();
    return *hello;
}

}  // namespace hpb::session
