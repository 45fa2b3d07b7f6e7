// crypto: the few primitives that the protocols name, all of them OpenSSL's. Stateless functions,
// safe from any thread. SAS tokens live in hc, TLS in net.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace hpb::crypto {

using Sha1 = std::array<std::byte, 20>;
using Sha256 = std::array<std::byte, 32>;

enum class Hash { sha256, sha384 };
[[nodiscard]] constexpr std::size_t size_of(Hash hash) {
    return hash == Hash::sha384 ? 48 : 32;
}

/// Whether OpenSSL can do what the functions below need, as its configuration stands: to be asked
/// at the start. A failure later ends the process with one line, for no secret and no signature may
/// be made without it.
[[nodiscard]] Result<void> check_library();

[[nodiscard]] Sha1 sha1(ByteSpan data);
/// @param out  of the hash's size.
void hmac(Hash hash, std::string_view key, std::string_view data, MutableByteSpan out);
[[nodiscard]] Sha256 hmac_sha256(std::string_view key, std::string_view data);

/// RFC 4648 section 4, with padding, on one line.
[[nodiscard]] std::string base64_encode(ByteSpan data);
/// @return nullopt unless `text` is canonical padded base64.
[[nodiscard]] std::optional<std::vector<std::byte>> base64_decode(std::string_view text);

[[nodiscard]] std::string hex(ByteSpan data);

/// Takes time that depends on the sizes only, never on where the contents differ.
[[nodiscard]] bool constant_time_equal(std::string_view a, std::string_view b);

/// Fills `out` from the operating system's generator.
void random_bytes(MutableByteSpan out);

/// Uniform in [0, 1): for back-off and other choices that peers should not all make alike.
[[nodiscard]] double random_fraction();

/// 128 random bits or more as lower-case hex digits (two a byte): for one-time values in URLs.
[[nodiscard]] std::string random_hex(std::size_t bytes);

}  // namespace hpb::crypto
