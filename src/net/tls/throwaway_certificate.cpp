#include "net/tls/throwaway_certificate.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>

namespace hpb::net {
namespace {

template <auto free_function>
struct Free {
    template <class T>
    void operator()(T* object) const {
        free_function(object);
    }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free>>;

constexpr long kHourSeconds = 3600;

void require(bool ok) {
    if (!ok) throw std::runtime_error("OpenSSL cannot make a throw-away certificate");
}

void add_extension(X509* certificate, int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value));
    require(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

std::string contents(BIO* bio) {
    char* data = nullptr;
    const auto size = BIO_ctrl(bio, BIO_CTRL_INFO, 0, static_cast<void*>(&data));
    return {data, static_cast<std::size_t>(size)};
}

}  // namespace

CertificateAndKey make_throwaway_certificate() {
    const KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    const X509Ptr certificate(X509_new());
    require(key && certificate);
    X509* x = certificate.get();
    unsigned char serial[8] = {};
    require(RAND_bytes(serial, sizeof serial) == 1);
    serial[0] &= 0x7f;
    require(X509_set_version(x, 2) == 1);
    const std::unique_ptr<BIGNUM, Free<BN_free>> number(BN_bin2bn(serial, sizeof serial, nullptr));
    require(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x)) != nullptr);
    require(X509_gmtime_adj(X509_getm_notBefore(x), -kHourSeconds) != nullptr &&
            X509_gmtime_adj(X509_getm_notAfter(x), 24 * kHourSeconds) != nullptr);
    X509_NAME* name = X509_get_subject_name(x);
    const auto* text = reinterpret_cast<const unsigned char*>("Hybrid Port Bridge demonstration");
    require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1);
    require(X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key.get()) == 1);
    add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(x, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1");
    require(X509_sign(x, key.get(), EVP_sha256()) > 0);

    const BioPtr certificate_text(BIO_new(BIO_s_mem()));
    const BioPtr key_text(BIO_new(BIO_s_mem()));
    require(certificate_text && key_text);
    require(PEM_write_bio_X509(certificate_text.get(), x) == 1);
    require(PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                     nullptr) == 1);
    return {contents(certificate_text.get()), contents(key_text.get())};
}

}  // namespace hpb::net
