#include "net/dial/address_memory.hpp"

#include <map>
#include <mutex>
#include <utility>

#include "ops/limits.hpp"

namespace hpb::net {
namespace {

struct BadAddresses {
    std::mutex mutex;
    std::map<tcp::endpoint, Clock::time_point> until;
};

BadAddresses& bad_addresses() {
    static BadAddresses addresses;
    return addresses;
}

}  // namespace

void remember_bad_address(const tcp::endpoint& address) {
    ops::reached(ops::Limit::bad_addresses);
    const auto now = Clock::now();
    BadAddresses& bad = bad_addresses();
    const std::lock_guard lock(bad.mutex);
    if (bad.until.size() >= kMaxBadAddresses)
        std::erase_if(bad.until, [&](const auto& each) { return each.second <= now; });
    if (bad.until.size() < kMaxBadAddresses) bad.until[address] = now + kKeepBadAddress;
}

void forget_bad_address(const tcp::endpoint& address) {
    BadAddresses& bad = bad_addresses();
    const std::lock_guard lock(bad.mutex);
    bad.until.erase(address);
}

void put_bad_addresses_last(std::vector<tcp::endpoint>& addresses) {
    const auto now = Clock::now();
    BadAddresses& bad = bad_addresses();
    const std::lock_guard lock(bad.mutex);
    if (bad.until.empty()) return;
    std::vector<tcp::endpoint> good;
    std::vector<tcp::endpoint> last;
    for (const auto& address : addresses) {
        const auto found = bad.until.find(address);
        (found == bad.until.end() || found->second <= now ? good : last).push_back(address);
    }
    good.insert(good.end(), last.begin(), last.end());
    addresses = std::move(good);
}

}  // namespace hpb::net
