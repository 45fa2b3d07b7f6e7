#pragma once

#include <boost/asio/error.hpp>
#include <cerrno>

#include "base/error.hpp"

namespace hpb::net {

/// What `errno` says, as an Error.
[[nodiscard]] inline Error system_error_now() {
    return {boost::system::error_code(errno, boost::system::system_category())};
}

/// After a call on a non-blocking socket has failed: true if another try may succeed later.
[[nodiscard]] inline bool would_block() {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/// What a transport returns instead of waiting.
inline const Error kWouldBlock{boost::asio::error::would_block};

}  // namespace hpb::net
