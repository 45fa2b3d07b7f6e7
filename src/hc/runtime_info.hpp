#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hpb::hc {

/// HybridConnectionDescription, as the management read of the relay gives it.
struct RuntimeInformation {
    std::int64_t created_at = 0;  ///< Unix seconds
    std::int64_t updated_at = 0;
    bool requires_client_authorization = true;
    bool has_user_metadata = false;
    std::string user_metadata;
    int listener_count = 0;
};

/// The ATOM entry, elements in the order that DataContract readers demand.
/// @param host    as in the request, for the entry's id.
[[nodiscard]] std::string to_atom_entry(const RuntimeInformation& info, std::string_view host,
                                        std::string_view entity);

/// <Error><Code>…</Code><Detail>…</Detail></Error>
[[nodiscard]] std::string to_error_document(unsigned status, std::string_view detail);

/// Reads an ATOM entry; an ATOM feed or another document is errc::malformed_runtime_information.
[[nodiscard]] Result<RuntimeInformation> parse_atom_entry(std::string_view xml);

/// @return the text of the first <Detail>, or "".
[[nodiscard]] std::string parse_error_document(std::string_view xml);

}  // namespace hpb::hc
