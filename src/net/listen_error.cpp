#include "net/listen_error.hpp"

namespace hpb::net {

Error listen_error(const std::string& where, const error_code& error, const std::string& key) {
    std::string advice;
    if (error == asio::error::address_in_use) {
        advice = "; another program is listening there: stop it or choose another port";
    } else if (error == asio::error::access_denied) {
        advice =
            "; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE: grant it (setcap "
            "cap_net_bind_service=+ep, or AmbientCapabilities= of systemd) or choose another port";
    } else if (error == boost::system::errc::address_not_available) {
        advice = "; this machine has no such address: check " + key;
    }
    return {error, "cannot listen on " + where + ": " + error.message() + advice};
}

}  // namespace hpb::net
