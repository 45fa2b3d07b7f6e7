#pragma once

#include <cstdint>
#include <string>

#include "net/coro.hpp"
#include "net/stream.hpp"

namespace hpb::net {

/// An HTTP proxy for CONNECT (RFC 9110 section 9.3.6).
struct Proxy {
    std::string host;
    std::uint16_t port = 0;
    std::string user;
    std::string password;
};

/// A user and password that a proxy has refused are not retried for the first of these, doubling
/// after each further refusal up to the second, because directories lock accounts.
inline constexpr std::chrono::minutes kRefusedLogin{2};
inline constexpr std::chrono::minutes kLongestRefusedLogin{16};

/// Waits until the proxy's user and password may be tried: until they are known to be valid, only
/// one attempt is made at a time.
/// @return an error if the proxy has refused them recently.
[[nodiscard]] awaitable<Result<void>> wait_for_login(const Proxy& proxy,
                                                     Clock::time_point deadline);

/// Asks the proxy for a connection to `where`, after wait_for_login().
/// @return errc::not_permitted if the proxy's answer is no, with what it says.
[[nodiscard]] awaitable<Result<void>> connect_through(Stream& stream, const Proxy& proxy,
                                                      std::string where);

/// Ends an attempt that wait_for_login() admitted and that got no answer.
void give_up_login(const Proxy& proxy);

}  // namespace hpb::net
