#include "v1/stranger.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.hpp"
#include "crypto/crypto.hpp"

namespace hpb::v1 {
namespace {

constexpr std::size_t kShownBytes = 16;

unsigned byte_at(ByteSpan bytes, std::size_t i) {
    return std::to_integer<unsigned>(bytes[i]);
}

// 01 00, mode (0 or 1), length of the port's name, name.
std::optional<Stranger> azbridge(ByteSpan first) {
    if (byte_at(first, 0) != 1) return std::nullopt;
    if (first.size() > 1 && byte_at(first, 1) != 0) return std::nullopt;
    if (first.size() > 2 && byte_at(first, 2) > 1) return std::nullopt;
    Stranger it{.program = Stranger::Program::azbridge, .asked_for = {}, .complete = false};
    if (first.size() < 4) return it;
    const std::size_t size = byte_at(first, 3);
    const auto name = first.subspan(4);
    it.complete = name.size() >= size;
    it.asked_for = as_text(name.first(std::min(size, name.size())));
    return it;
}

// A .NET string: its length, 7 bits a byte, and "tcp:3389" or "np:name".
std::optional<Stranger> port_bridge(ByteSpan first) {
    std::size_t size = byte_at(first, 0) & 0x7f;
    std::size_t at = 1;
    if (byte_at(first, 0) >= 0x80) {
        if (first.size() < 2) return std::nullopt;
        size |= std::size_t{byte_at(first, 1) & 0x7f} << 7;
        at = 2;
    }
    constexpr std::size_t kShortest = 4;  // "np:a"
    if (size < kShortest) return std::nullopt;
    const auto name = as_text(first.subspan(at).first(std::min(size, first.size() - at)));
    constexpr std::array<std::string_view, 2> kPrefixes = {"tcp:", "np:"};
    const bool known = std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](auto prefix) {
        return name.size() >= prefix.size() && iequals(name.substr(0, prefix.size()), prefix);
    });
    if (!known) return std::nullopt;
    return Stranger{.program = Stranger::Program::port_bridge,
                    .asked_for = std::string(name.substr(0, kMaxName)),
                    .complete = name.size() >= std::min(size, kMaxName)};
}

}  // namespace

std::optional<Stranger> recognise(ByteSpan first) {
    if (first.empty()) return std::nullopt;
    if (auto it = azbridge(first)) return it;
    if (auto it = port_bridge(first)) return it;
    constexpr std::size_t kPreamble = 8;
    const bool whole = first.size() >= kPreamble;
    if (first.size() >= 2 && byte_at(first, 0) == 0 && byte_at(first, 1) == 0)
        return Stranger{Stranger::Program::dotnet_bridge, {}, whole};
    if (!whole) return std::nullopt;
    return Stranger{};
}

bool is_azbridge_refusal(ByteSpan all) {
    if (all.size() != 3 || byte_at(all, 0) != 0 || byte_at(all, 1) != 0) return false;
    const unsigned mode = byte_at(all, 2);
    return mode == 0 || mode == 1 || mode == 0xff;
}

std::string describe(const Stranger& stranger, ByteSpan first) {
    const std::string name = printable(stranger.asked_for, 100);
    switch (stranger.program) {
        case Stranger::Program::dotnet_bridge:
            return "an agent of the .NET bridge";
        case Stranger::Program::azbridge:
            return "azbridge" + (name.empty() ? "" : ", which asked for its port '" + name + "'");
        case Stranger::Program::port_bridge:
            return "Microsoft's Port Bridge, which asked for '" + name + "'";
        case Stranger::Program::unknown:
            break;
    }
    const auto shown = first.first(std::min(first.size(), kShownBytes));
    return "not a known bridge (its first bytes: " + crypto::hex(shown) + " '" +
           printable(as_text(shown), kShownBytes) + "')";
}

}  // namespace hpb::v1
