#include "hc/tracking_id.hpp"

#include <fmt/format.h>

#include <array>

#include "base/text.hpp"
#include "crypto/crypto.hpp"
#include "hc/iso_time.hpp"

namespace hpb::hc {
namespace {

constexpr std::size_t kGuidSize = 36;
constexpr std::size_t kMaxMessageSize = 1024;
constexpr std::size_t kMaxIdSize = 128;
constexpr std::size_t kMaxTrackerSize = 512;

bool is_hyphen_position(std::size_t i) {
    return i == 8 || i == 13 || i == 18 || i == 23;
}

bool is_hex_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

std::string make_guid() {
    std::array<std::byte, 16> bytes{};
    crypto::random_bytes(bytes);
    bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};  // version 4
    bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};  // the variant of RFC 9562
    std::string text = crypto::hex(bytes);
    for (const std::size_t at : {8u, 13u, 18u, 23u}) text.insert(at, 1, '-');
    return text;
}

bool starts_with_guid(std::string_view text) {
    if (text.size() < kGuidSize) return false;
    for (std::size_t i = 0; i < kGuidSize; ++i) {
        if (is_hyphen_position(i) ? text[i] != '-' : !is_hex_digit(text[i])) return false;
    }
    return true;
}

std::string make_tracking_id(std::string_view client_id) {
    return (starts_with_guid(client_id) ? std::string(client_id.substr(0, kGuidSize))
                                        : make_guid()) +
           "_G0";
}

std::string tracked_message(std::string_view sentence, std::string_view tracking_id,
                            std::string_view system_tracker, std::int64_t unix_seconds) {
    if (sentence.ends_with('.')) sentence.remove_suffix(1);
    const auto tracking = fmt::format(
        ". TrackingId:{}, SystemTracker:{}, Timestamp:{}", printable(tracking_id, kMaxIdSize),
        printable(system_tracker, kMaxTrackerSize), format_iso_time(unix_seconds));
    return printable(sentence, kMaxMessageSize - tracking.size()) + tracking;
}

}  // namespace hpb::hc
