#pragma once

#include <memory>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace hpb::net {

/// How the bytes of a Stream get to its socket and back: as they are, or in TLS records. A Stream
/// has exactly one at a time. Knows nothing of waiting. Not thread-safe.
class Transport {
public:
    Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    virtual ~Transport() = default;
    /// Deletes it, unless it is shared by all.
    virtual void release() { delete this; }

    /// @return bytes read; 0 at the end of the stream; would_block (boost::asio::error). Any other
    /// error is final: nothing of `into` may be used.
    [[nodiscard]] virtual Result<std::size_t> try_read(int descriptor, MutableByteSpan into) = 0;
    /// @return bytes taken, 0 if none. Some that were taken may still have to be sent: see
    /// has_unsent(). Errors are final.
    [[nodiscard]] virtual Result<std::size_t> try_write(int descriptor, ByteSpan data) = 0;
    /// True if try_write(), even of nothing, has to be called to send what was taken.
    [[nodiscard]] virtual bool has_unsent() const = 0;
    /// Tells the peer that nothing follows (TLS close_notify). Best effort: it does not fit if the
    /// peer has stopped reading.
    virtual void send_end(int descriptor) = 0;
    /// True if the bytes are encrypted and authenticated on the way.
    [[nodiscard]] virtual bool secure() const = 0;
};

struct ReleaseTransport {
    void operator()(Transport* transport) const { transport->release(); }
};
using TransportPtr = std::unique_ptr<Transport, ReleaseTransport>;

/// TCP as it is. One object for all: a hundred thousand idle connections have no use for more.
[[nodiscard]] TransportPtr plain_transport();

/// The transport of a connection that has failed before it carried anything: every call returns
/// `failure`.
[[nodiscard]] TransportPtr make_failed_transport(Error failure);

}  // namespace hpb::net
