#pragma once

#include <functional>
#include <memory>

#include "tls/aead.hpp"

namespace hpb::tls {

/// Makes an AES-GCM of one key.
using MakeAesGcm = std::function<std::unique_ptr<Aead>(ByteSpan key)>;

/// Known-answer test of an AES-GCM: seals texts of several sizes with keys of both sizes, compares
/// tags (which stand for the ciphertext), opens what was sealed, and refuses it with a bit changed.
/// Some microseconds.
[[nodiscard]] bool passes_known_answers(const MakeAesGcm& make);

}  // namespace hpb::tls
