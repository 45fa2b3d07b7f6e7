#include "net/tls/policy.hpp"

#include <openssl/crypto.h>

#include <fmt/format.h>

#if HPB_NATIVE_TLS
#include "net/tls/records.hpp"
#endif
#include "ops/log.hpp"

namespace hpb::net {

TlsDecision decide_tls(const TlsWishes& wishes) {
    using enum TlsPolicy::Records;
    TlsDecision decision;
    const bool fips = tls::is_fips_required();
    std::string records = "OpenSSL";
    std::string cipher = "OpenSSL";
#if HPB_NATIVE_TLS
    TlsPolicy& policy = decision.policy;
    if (fips || wishes.openssl_records) {
        records += fips ? " (FIPS)" : " (Tls:Records)";
    } else {
        policy.records = native;
        records = "hpb";
    }
    if (policy.records == native && !wishes.openssl_cipher) {
        const auto choice = tls::choose_cipher();
        policy.cipher = choice.backend;
        if (choice.backend == tls::CipherBackend::native) {
            cipher = "hpb (AES-GCM with VAES)";
        } else {
            cipher += fmt::format(" ({})", choice.reason);
        }
        if (choice.failed) {
            decision.warning =
                "the self-test of hpb's AES-GCM failed on this processor, so OpenSSL's is used; "
                "please report it with the processor's model";
        }
    } else if (policy.records == native) {
        cipher += " (Tls:Cipher)";
    }
#else
    (void)wishes;
    records += " (this build has no other)";
#endif
    decision.summary = fmt::format("TLS library {}; records {}; cipher {}; FIPS {}",
                                   OpenSSL_version(OPENSSL_VERSION_STRING), records, cipher,
                                   fips ? "required" : "not required");
    return decision;
}

TransportPtr make_transport(SslPtr ssl, TlsPolicy policy) {
#if HPB_NATIVE_TLS
    if (policy.records == TlsPolicy::Records::native) {
        if (auto records = TlsRecords::take_over(ssl.get(), policy.cipher))
            return TransportPtr(records.release());
    }
#else
    (void)policy;
#endif
    return TransportPtr(new OpensslTransport(std::move(ssl)));
}

void log_tls(const TlsDecision& decision, const char* component) {
    ops::log_info(component, "{}", decision.summary);
    if (!decision.warning.empty()) ops::log_warn(component, "{}", decision.warning);
}

}  // namespace hpb::net
