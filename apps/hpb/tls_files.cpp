#include "hpb/tls_files.hpp"

namespace hpb::app {

Result<std::optional<net::TlsServerContext>> load_tls(const config::RelayOptions& options,
                                                      net::TlsPolicy policy) {
    if (options.insecure) return std::optional<net::TlsServerContext>();
    auto context =
        net::TlsServerContext::from_files(options.certificate_file, options.key_file, policy);
    if (!context) return context.error();
    return std::optional(std::move(*context));
}

Result<std::optional<net::TlsClientContext>> load_tls(const config::RelayAccess& access) {
    if (!access.address.secure) return std::optional<net::TlsClientContext>();
    auto context = net::TlsClientContext::create(access.ca_file, net::TlsPolicy{});
    if (!context) return context.error();
    return std::optional(std::move(*context));
}

}  // namespace hpb::app
