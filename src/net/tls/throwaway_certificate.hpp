#pragma once

#include <string>

namespace hpb::net {

struct CertificateAndKey {
    std::string certificate;  ///< PEM, self-signed: its own CA
    std::string key;          ///< PEM
};

/// A certificate for localhost, 127.0.0.1 and ::1 that is valid for a day: for the demo, where it
/// never leaves the process.
[[nodiscard]] CertificateAndKey make_throwaway_certificate();

}  // namespace hpb::net
