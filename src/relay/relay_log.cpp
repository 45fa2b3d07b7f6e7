#include "relay/relay_log.hpp"

#include "net/endpoint.hpp"
#include "net/source.hpp"
#include "ops/log.hpp"

namespace hpb::relay {
namespace {

constexpr std::string_view kComponent = "relay";

net::asio::ip::address plain(const net::asio::ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return net::asio::ip::make_address_v4(net::asio::ip::v4_mapped, address.to_v6());
    }
    return address;
}

/// " with rule root", or "" for who needs no token.
std::string with_rule(std::string_view rule) {
    return rule.empty() ? "" : fmt::format(" with rule {}", rule);
}

}  // namespace

std::string peer_text(const net::tcp::endpoint& peer) {
    const auto address = plain(peer.address()).to_string();
    return peer.port() == 0 ? address : net::host_port(address, peer.port());
}

void RelayLog::handshake_failed(const net::tcp::endpoint& peer, std::string_view why) {
    ++counters_.failed_handshakes;
    if (const auto more = handshakes_.admit(net::source_key(peer.address()))) {
        ops::log_warn(kComponent, "handshake with {} failed: {}{}", peer_text(peer), why, *more);
    }
}

void RelayLog::refused(const net::tcp::endpoint& peer, std::string_view what, unsigned status,
                       std::string_view why, std::string_view rule, std::string_view tracking_id) {
    if (status == 410) return;  // a listener that rejected a sender has been answered
    ++(status == 401 || status == 403 ? counters_.refused_tokens : counters_.other_refusals);
    if (const auto more = refusals_.admit(net::source_key(peer.address()))) {
        ops::log_warn(kComponent, "refused {} from {}{}: {} {} (TrackingId:{}){}", what,
                      peer_text(peer), with_rule(rule), status, why, tracking_id, *more);
    }
}

void RelayLog::listener_came(const net::tcp::endpoint& peer, std::string_view id,
                             std::string_view entity, std::string_view rule, int listeners_now) {
    if (const auto more = listeners_.admit(net::source_key(peer.address()))) {
        ops::log_info(kComponent, "listener {} connected to {} from {}{} ({} now){}", id, entity,
                      peer_text(peer), with_rule(rule), listeners_now, *more);
    }
}

void RelayLog::listener_left(const net::tcp::endpoint& peer, std::string_view id,
                             std::string_view entity, std::string_view why, int listeners_now) {
    if (const auto more = listeners_.admit(net::source_key(peer.address()))) {
        ops::log_info(kComponent, "listener {} from {} left {} ({} now): {}{}", id, peer_text(peer),
                      entity, listeners_now, why, *more);
    }
}

RelayLog::Visit::Visit(std::shared_ptr<RelayLog> log, const net::tcp::endpoint& peer,
                       std::string entity, std::string_view rule, std::string_view listener)
    : log_(std::move(log)), peer_(peer), entity_(std::move(entity)) {
    ++log_->counters_.rendezvous_total;
    ++log_->counters_.rendezvous;
    if (!ops::log_enabled(ops::Level::info)) return;
    if (const auto more = log_->senders_come_.admit(net::source_key(peer_.address()))) {
        ops::log_info(kComponent, "sender {} connected to {}{}, by listener {}{}", peer_text(peer_),
                      entity_, with_rule(rule), listener, *more);
    }
}

RelayLog::Visit::~Visit() {
    --log_->counters_.rendezvous;
    if (!ops::log_enabled(ops::Level::info)) return;
    if (const auto more = log_->senders_go_.admit(net::source_key(peer_.address()))) {
        const std::chrono::duration<double> stayed = std::chrono::steady_clock::now() - since_;
        ops::log_info(kComponent, "sender {} left {} after {:.1f} s{}{}", peer_text(peer_), entity_,
                      stayed.count(), lost_ ? ": a connection was lost" : "", *more);
    }
}

}  // namespace hpb::relay
