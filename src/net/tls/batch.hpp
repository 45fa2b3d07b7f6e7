#pragma once

#include <openssl/ssl.h>

#include <cstddef>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace hpb::net {

/// Where an SSL object's records go before they go to the socket, so that those of one write leave
/// in one system call: OpenSSL alone makes one for each 16 KiB.
///
/// Records are made in a buffer of the thread; only what the socket does not take is kept with the
/// connection. So a connection that keeps up has no buffer of its own. Bound: kPlaintext and what
/// TLS adds to it.
class TlsBatch {
public:
    /// Plaintext that is sealed before the socket gets it: four full records.
    static constexpr std::size_t kPlaintext = 64 * 1024;

    /// Makes `ssl` write here and read from `descriptor`. @return false if memory is short.
    [[nodiscard]] static bool attach(SSL* ssl, int descriptor);

    /// Sends what `ssl` has made since the last call, behind what was left of it then. To be called
    /// after each SSL function that may write, on the same thread.
    /// @return would_block (boost::asio::error) if the socket has not taken everything yet: call
    ///         again when it is writable; another error if it is broken.
    [[nodiscard]] static Result<void> flush(SSL* ssl, int descriptor);

    /// True if records wait for the socket.
    [[nodiscard]] static bool has_unsent(SSL* ssl);
};

}  // namespace hpb::net
