#pragma once

#include <array>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace hpb::tls {

/// Reads the handshake messages that may come after the handshake (RFC 8446 section 4.6): tickets,
/// which we do not use, and KeyUpdate. Never buffers a message, whatever its size.
class PostHandshake {
public:
    enum class Found {
        nothing,              ///< the input is used up
        key_update,           ///< the peer uses its next key from the next record on
        key_update_requested  ///< ... and wants us to do so too
    };
    /// Takes messages from the front of `in` up to the first that matters; any chunking.
    /// @return unexpected_record for a message that is not allowed, or not allowed in mid-record: a
    /// KeyUpdate must be the last message of its record.
    [[nodiscard]] Result<Found> next(ByteSpan& in);

private:
    std::array<std::byte, 5> head_{};  // type, length, and the one byte of a KeyUpdate
    std::size_t have_ = 0;
    std::size_t skip_ = 0;
};

/// A KeyUpdate that does not request one in return.
inline constexpr std::array<std::byte, 5> kKeyUpdate = {std::byte{24}, std::byte{0}, std::byte{0},
                                                        std::byte{1}, std::byte{0}};

}  // namespace hpb::tls
