// Our record layer against OpenSSL's: tickets, key updates, every cipher, and TLS 1.2.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <thread>

#include "net/tls/context.hpp"
#include "net/tls/throwaway_certificate.hpp"
#include "support/loopback.hpp"

namespace hpb::test {
namespace {

struct BioFree {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;

struct Peer {
    const char* name;
    int version = TLS1_3_VERSION;
    const char* suites = "TLS_AES_128_GCM_SHA256";
    bool updates_keys = false;
    net::TlsPolicy policy = {};
};

/// Each peer with each policy: OpenSSL alone, our records with its cipher, and what is the default
/// on this machine.
std::vector<Peer> peers() {
    using Records = net::TlsPolicy::Records;
    std::vector<Peer> all;
    for (const auto policy :
         {net::TlsPolicy{}, net::TlsPolicy{Records::native, tls::CipherBackend::openssl},
          net::decide_tls({}).policy}) {
        all.insert(all.end(),
                   {{.name = "Aes128", .policy = policy},
                    {.name = "Aes256", .suites = "TLS_AES_256_GCM_SHA384", .policy = policy},
                    {.name = "ChaCha", .suites = "TLS_CHACHA20_POLY1305_SHA256", .policy = policy},
                    {.name = "KeyUpdates", .updates_keys = true, .policy = policy},
                    {.name = "Tls12", .version = TLS1_2_VERSION, .policy = policy}});
    }
    return all;
}

/// OpenSSL with a blocking socket on a thread of its own: sends back what comes, to its end.
class OpenSslEcho {
public:
    OpenSslEcho(net::SslContextPtr context, int descriptor, const Peer& peer, bool accepts)
        : context_(std::move(context)) {
        SSL_CTX_set_min_proto_version(context_.get(), peer.version);
        SSL_CTX_set_max_proto_version(context_.get(), peer.version);
        SSL_CTX_set_ciphersuites(context_.get(), peer.suites);
        ssl_.reset(SSL_new(context_.get()));
        ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) & ~O_NONBLOCK);
        SSL_set_fd(ssl_.get(), descriptor);
        thread_ = std::thread([this, descriptor, accepts, updates = peer.updates_keys] {
            if ((accepts ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get())) == 1) echo(updates);
            ssl_.reset();
            ::close(descriptor);
        });
    }
    ~OpenSslEcho() { thread_.join(); }

private:
    void echo(bool updates_keys) {
        std::array<char, 4096> buffer;
        for (int reads = 0;; ++reads) {
            const int n = SSL_read(ssl_.get(), buffer.data(), buffer.size());
            if (n <= 0) break;
            if (updates_keys && reads % 40 == 3) {
                SSL_key_update(ssl_.get(), reads % 80 == 3 ? SSL_KEY_UPDATE_REQUESTED
                                                           : SSL_KEY_UPDATE_NOT_REQUESTED);
            }
            if (SSL_write(ssl_.get(), buffer.data(), n) != n) break;
        }
        SSL_shutdown(ssl_.get());
    }

    net::SslContextPtr context_;
    net::SslPtr ssl_;
    std::thread thread_;
};

class TlsInterop : public Loopback, public testing::WithParamInterface<Peer> {
protected:
    TlsInterop()
        : certificate(net::make_throwaway_certificate()),
          server(net::TlsServerContext::from_pem(certificate.certificate, certificate.key,
                                                 GetParam().policy)
                     .value()),
          client(
              net::TlsClientContext::from_pem(certificate.certificate, GetParam().policy).value()) {
    }

    [[nodiscard]] net::SslContextPtr peers_server_context() const {
        net::SslContextPtr context(SSL_CTX_new(TLS_server_method()));  // sends two tickets
        const auto& pem = certificate.certificate;
        const BioPtr cert(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
        const BioPtr key(
            BIO_new_mem_buf(certificate.key.data(), static_cast<int>(certificate.key.size())));
        X509* x509 = PEM_read_bio_X509(cert.get(), nullptr, nullptr, nullptr);
        EVP_PKEY* pkey = PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr);
        SSL_CTX_use_certificate(context.get(), x509);
        SSL_CTX_use_PrivateKey(context.get(), pkey);
        X509_free(x509);
        EVP_PKEY_free(pkey);
        return context;
    }

    static awaitable<void> write_all(net::Stream& stream, const std::string& data) {
        (void)co_await write(stream, data);
    }

    awaitable<void> echoes(net::Stream& ours, net::PendingTls tls) {
        const auto done = co_await net::secure(ours, tls);
        EXPECT_TRUE(done) << (done ? "" : done.error().message());
        EXPECT_TRUE(ours.secure());
        for (const std::size_t size : {1UL, 100UL, 70'000UL, std::size_t{3} << 20}) {
            const std::string data = pattern(size, 5);
            net::spawn(context.get_executor(), write_all(ours, data));
            const std::string got = co_await read(ours, size);
            EXPECT_EQ(got.size(), size);
            EXPECT_TRUE(got == data);
        }
        ours.shutdown_send();
        EXPECT_EQ(co_await read(ours, 1), "");
    }

    net::CertificateAndKey certificate;
    net::TlsServerContext server;
    net::TlsClientContext client;
};

TEST_P(TlsInterop, AsClient) {
    auto [ours, theirs] = connected_pair();
    auto connection = theirs.detach();
    const OpenSslEcho peer(peers_server_context(), std::exchange(connection.descriptor, -1),
                           GetParam(), true);
    run(echoes(ours, client.make("localhost")));
}

TEST_P(TlsInterop, AsServer) {
    auto [ours, theirs] = connected_pair();
    auto connection = theirs.detach();
    const OpenSslEcho peer(net::SslContextPtr(SSL_CTX_new(TLS_client_method())),
                           std::exchange(connection.descriptor, -1), GetParam(), false);
    run(echoes(ours, server.make()));
}

INSTANTIATE_TEST_SUITE_P(Peers, TlsInterop, testing::ValuesIn(peers()), [](const auto& peer) {
    return std::string(peer.param.name) + "_" + std::to_string(peer.index);
});

}  // namespace
}  // namespace hpb::test
