#include "net/websocket/mask_keys.hpp"

#include <algorithm>
#include <array>

#include "crypto/crypto.hpp"

namespace hpb::net {

websocket::MaskKey next_mask_key() {
    constexpr std::size_t kBatch = 256;
    thread_local std::array<std::byte, kBatch * 4> keys;
    thread_local std::size_t used = keys.size();
    if (used == keys.size()) {
        crypto::random_bytes(keys);
        used = 0;
    }
    websocket::MaskKey key;
    std::copy_n(keys.begin() + static_cast<std::ptrdiff_t>(used), 4, key.begin());
    used += 4;
    return key;
}

}  // namespace hpb::net
