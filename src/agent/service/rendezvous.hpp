#pragma once

#include <memory>

#include "agent/service/service_channel.hpp"
#include "agent/service/service_context.hpp"
#include "hc/control_message.hpp"
#include "net/coro.hpp"

namespace hpb::agent::service {

/// Opens the rendezvous of a waiting sender, and starts its v1 channel on the calling
/// coroutine's thread. 20 s at most.
[[nodiscard]] net::awaitable<void> accept_rendezvous(std::shared_ptr<const ServiceContext> context,
                                                     std::shared_ptr<const ServedEntity> entity,
                                                     hc::AcceptMessage accept,
                                                     std::string subprotocol, Place place);

/// A rendezvous could not be opened: logs it, and tells the relay, so that the client agent learns
/// the reason at once.
[[nodiscard]] net::awaitable<void> on_rendezvous_failed(
    std::shared_ptr<const ServiceContext> context, std::shared_ptr<const ServedEntity> entity,
    hc::AcceptMessage accept, Error why);

/// Rejects a sender: too many channels, or no protocol in common.
[[nodiscard]] net::awaitable<void> reject_rendezvous(std::shared_ptr<const ServiceContext> context,
                                                     std::shared_ptr<const ServedEntity> entity,
                                                     hc::AcceptMessage accept, int status,
                                                     std::string why, Quota::Ticket ticket);

/// The answer to an HTTP request: this listener does not serve HTTP.
[[nodiscard]] hc::ResponseMessage refuse_request(const std::string& request_id);

/// Answers an HTTP request that the relay only announced; it is fetched from its own address.
[[nodiscard]] net::awaitable<void> refuse_request_at(std::shared_ptr<const ServiceContext> context,
                                                     std::string address, Quota::Ticket ticket);

}  // namespace hpb::agent::service
