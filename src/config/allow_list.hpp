#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace hpb::config {

/// An IPv6 address in network order; IPv4 as ::ffff:a.b.c.d, so that one comparison serves both.
using IpBytes = std::array<std::uint8_t, 16>;

/// @return nullopt unless `text` is one IP literal (no leading zeros, no short forms, no zone).
[[nodiscard]] std::optional<IpBytes> parse_ip(std::string_view text);

/// AcceptFromIpAddresses: who may connect to a mapping's port. Empty admits nobody.
class AllowList {
public:
    /// Adds one item: `*`, an address, `first-last` or `address/prefix`. Blank items are nothing.
    /// Addresses are read as .NET reads them (parse_dotnet_ip).
    /// @return "", or a warning about an item that does not mean what it seems to; an error that
    /// says what is wrong with the item.
    [[nodiscard]] Result<std::string> add(std::string_view item);

    [[nodiscard]] bool admits(const IpBytes& address) const;
    [[nodiscard]] bool admits_everybody() const { return everybody_; }
    [[nodiscard]] bool admits_nobody() const { return !everybody_ && ranges_.empty(); }

private:
    struct Range {
        IpBytes first;
        IpBytes last;
    };
    [[nodiscard]] Result<std::string> add_range(std::string_view item);

    bool everybody_ = false;
    std::vector<Range> ranges_;
};

}  // namespace hpb::config
