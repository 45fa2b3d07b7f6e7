#include "config/tls_options.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "config/setting_reader.hpp"

namespace hpb::config {
namespace {

/// @return true for "openssl", false for "auto".
bool read_openssl_only(SettingReader& reader, std::string_view path) {
    const Setting* setting = reader.find(path);
    if (setting == nullptr) return false;
    const std::string_view value = trim(setting->value);
    if (iequals(value, "openssl")) return true;
    if (!iequals(value, "auto")) {
        reader.error(*setting, fmt::format("unknown value '{}'", printable(value, 40)),
                     "write auto or openssl");
    }
    return false;
}

}  // namespace

TlsOptions read_tls_options(SettingReader& reader) {
    return {.openssl_records = read_openssl_only(reader, "Tls:Records"),
            .openssl_cipher = read_openssl_only(reader, "Tls:Cipher")};
}

}  // namespace hpb::config
