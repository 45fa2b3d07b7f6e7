#pragma once

#include "net/coro.hpp"
#include "net/stream.hpp"
#include "net/tls/openssl_transport.hpp"
#include "net/tls/policy.hpp"

namespace hpb::net {

/// One side of a TLS connection that is to begin: what a context's make() gives.
struct PendingTls {
    SslPtr ssl;  ///< null: OpenSSL could not make one, and the handshake will fail
    TlsPolicy policy;
};

/// Says when a handshake may use the processor: making keys and signatures is the most that a
/// stranger can ask for.
class HandshakePace {
public:
    virtual ~HandshakePace() = default;
    /// Waits for a turn. @return false: there is none, give up.
    [[nodiscard]] virtual awaitable<bool> begin_step() = 0;
    virtual void end_step() = 0;
};

/// Runs the TLS handshake on a plain stream and gives it the transport that the policy says.
/// Bounded in time by the caller (Deadline). After a failure nothing more is read or written; only
/// Stream::use() of another transport changes that.
/// @param tls  keeps its SSL object where the handshake fails, to explain why.
/// @param pace  asked before each step; null: none.
[[nodiscard]] awaitable<Result<void>> secure(Stream& stream, PendingTls& tls,
                                             HandshakePace* pace = nullptr);

}  // namespace hpb::net
