#pragma once

#include <cstdint>
#include <optional>

#include "session/frame_codec.hpp"

namespace hpb::session {

/// The proof in the client's HELLO that it knows the secret of the session to resume.
[[nodiscard]] Proof client_proof(const Secret& secret, const SessionId& session, ChannelId channel,
                                 const Nonce& client_nonce);

/// The proof in the service's WELCOME that it knows the secret too, and has read this HELLO.
[[nodiscard]] Proof service_proof(const Secret& secret, const SessionId& session, ChannelId channel,
                                  const Nonce& client_nonce, const Nonce& service_nonce);

/// Compares in constant time.
[[nodiscard]] bool equal(const Proof& a, const Proof& b);

/// @return the version to use with a peer that speaks from `min` to `max`; nullopt if none.
[[nodiscard]] std::optional<std::uint16_t> choose_version(std::uint16_t min, std::uint16_t max);

/// Which channel numbers have been used: the last 64, and everything older (as in RFC 4303,
/// section 3.4.3).
class ReplayWindow {
public:
    /// @return false if `channel` was used before, or is too old to tell.
    [[nodiscard]] bool is_fresh(ChannelId channel) const;
    void mark(ChannelId channel);

private:
    std::uint64_t highest_ = 0;
    std::uint64_t seen_ = 0;  // bit i: highest_ - i
};

/// The service's end of a channel until its HELLO has arrived.
class HelloReader {
public:
    /// Advances `in` past what it consumed. @return the HELLO once it is complete; malformed_frame
    /// or unexpected_frame if the channel begins with something else: answer with a refusal.
    [[nodiscard]] Result<std::optional<HelloFrame>> next(ByteSpan& in);

private:
    FrameDecoder decoder_{kMaxControlPayload};
};

}  // namespace hpb::session
