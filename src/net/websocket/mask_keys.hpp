#pragma once

#include "websocket/frame.hpp"

namespace hpb::net {

/// A fresh masking key from the operating system's generator, fetched in batches per thread: a key
/// must be unpredictable (RFC 6455 section 5.3), but that does not require a system call per frame.
[[nodiscard]] websocket::MaskKey next_mask_key();

}  // namespace hpb::net
