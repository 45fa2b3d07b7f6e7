#pragma once

#include "websocket/frame.hpp"

namespace hpb::net {

/// A fresh masking key from the operating system's generator, fetched in batches per thread: a key
/// has to be unpredictable (RFC 6455 section 5.3), a system call per frame is not needed for that.
[[nodiscard]] websocket::MaskKey next_mask_key();

}  // namespace hpb::net
