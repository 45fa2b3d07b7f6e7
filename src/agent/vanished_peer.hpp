#pragma once

#include <algorithm>
#include <chrono>

#include "net/stream.hpp"

namespace hpb::agent {

/// Detects that the machine at the other end of a connection has vanished while data was in flight
/// to it. TCP_USER_TIMEOUT would also end connections whose reader has merely stopped reading.
class VanishedPeer {
public:
    using Clock = net::Clock;

    /// Call about every period(). @param limit  UnacknowledgedSeconds.
    /// @return true if nothing that was sent has been acknowledged for `limit`.
    [[nodiscard]] bool has_vanished(net::Stream& stream, Clock::time_point now,
                                    std::chrono::seconds limit) {
        if (!stream.is_unacknowledged()) {
            since_ = Clock::time_point::max();
            return false;
        }
        since_ = std::min(since_, now);
        return now - since_ >= limit - period(limit) &&
               stream.since_last_acknowledgement() >= limit;
    }

    [[nodiscard]] static std::chrono::milliseconds period(std::chrono::seconds limit) {
        return std::clamp<std::chrono::milliseconds>(limit / 8, std::chrono::milliseconds(250),
                                                     std::chrono::milliseconds(10000));
    }

private:
    Clock::time_point since_ = Clock::time_point::max();
};

}  // namespace hpb::agent
